//! Limits that a control group puts on this process, of either version of the kernel's interface.

use std::fs;
use std::path::{Path, PathBuf};

/// The limits in force: the least over the process's group and all groups above it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// Bytes of memory.
    pub memory_bytes: Option<u64>,
    /// Bytes of memory used in the group with that limit.
    pub memory_used_bytes: Option<u64>,
    /// Processors' worth of time.
    pub processors: Option<f64>,
}

impl Limits {
    /// Reads the limits of this process.
    #[must_use]
    pub fn read() -> Self {
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self::of(&groups, Path::new("/sys/fs/cgroup"))
    }

    /// `groups` is the text of `/proc/self/cgroup`, `root` the place where control groups are mounted.
    fn of(groups: &str, root: &Path) -> Self {
        let mut limits = Self::default();
        for group in groups.lines() {
            let mut fields = group.splitn(3, ':').skip(1);
            let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
            if controllers.is_empty() {
                for folder in upwards(root, path) {
                    limits.unified(&folder);
                }
                continue;
            }
            for controller in controllers.split(',') {
                for folder in upwards(&root.join(controller), path) {
                    limits.separate(controller, &folder);
                }
            }
        }
        limits
    }

    /// Version 2: one folder for all controllers.
    fn unified(&mut self, folder: &Path) {
        self.memory(number(&folder.join("memory.max")), number(&folder.join("memory.current")));
        let quota = fs::read_to_string(folder.join("cpu.max")).unwrap_or_default();
        if let Some((quota, period)) = quota.trim().split_once(' ') {
            self.cpu(quota.parse().ok(), period.parse().ok());
        }
    }

    /// Version 1: a folder for each controller.
    fn separate(&mut self, controller: &str, folder: &Path) {
        let figure = |file| number(&folder.join(file));
        match controller {
            "memory" => self.memory(figure("memory.limit_in_bytes"), figure("memory.usage_in_bytes")),
            "cpu" => self.cpu(figure("cpu.cfs_quota_us"), figure("cpu.cfs_period_us")),
            _ => {}
        }
    }

    fn memory(&mut self, limit: Option<u64>, used: Option<u64>) {
        // Version 1 writes "no limit" as the largest multiple of a page.
        let Some(limit) = limit.filter(|&limit| limit < 1 << 60) else { return };
        if self.memory_bytes.is_none_or(|least| limit < least) {
            self.memory_bytes = Some(limit);
            self.memory_used_bytes = used;
        }
    }

    fn cpu(&mut self, quota: Option<u64>, period: Option<u64>) {
        if let (Some(quota), Some(period @ 1..)) = (quota, period) {
            let processors = quota as f64 / period as f64;
            self.processors = Some(self.processors.map_or(processors, |least| least.min(processors)));
        }
    }
}

/// The group's folder and those above it, up to `root`. In a container the path may name a place that is not mounted
/// there; the root then stands for the group itself.
fn upwards(root: &Path, path: &str) -> Vec<PathBuf> {
    let inner = root.join(path.trim_start_matches('/'));
    inner.ancestors().take_while(|folder| folder.starts_with(root)).map(Path::to_path_buf).collect()
}

/// The number in a file; `None` for `max`, -1, or no file.
fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
        let root = std::env::temp_dir().join(format!("strata-cgroup-{name}-{}", std::process::id()));
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn the_least_limit_on_the_way_up_holds() {
        let root = folder(
            "v2",
            &[
                ("job/memory.max", "max\n"),
                ("job/cpu.max", "150000 100000\n"),
                ("memory.max", "1048576\n"),
                ("memory.current", "4096\n"),
            ],
        );
        let limits = Limits::of("0::/job\n", &root);
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(limits.memory_bytes, Some(1 << 20));
        assert_eq!(limits.memory_used_bytes, Some(4096));
        assert_eq!(limits.processors, Some(1.5));
    }

    #[test]
    fn the_older_interface_is_read_too() {
        let root = folder(
            "v1",
            &[
                ("memory/a/memory.limit_in_bytes", "2097152\n"),
                ("memory/memory.limit_in_bytes", "9223372036854771712\n"),
                ("cpu/a/cpu.cfs_quota_us", "-1\n"),
                ("cpu/cpu.cfs_quota_us", "50000\n"),
                ("cpu/cpu.cfs_period_us", "100000\n"),
            ],
        );
        let limits = Limits::of("4:memory:/a\n3:cpu,cpuacct:/a\n1:name=systemd:/\n", &root);
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(limits.memory_bytes, Some(2 << 20));
        assert_eq!(limits.processors, Some(0.5));
    }

    #[test]
    fn no_group_is_no_limit() {
        assert_eq!(Limits::of("", Path::new("/nowhere")), Limits::default());
        assert_eq!(Limits::of("0::/x\n", Path::new("/nowhere")), Limits::default());
    }
}
