//! A program under `ptrace(2)`, for two moments of its life: when its file has taken the process over, and when it is about
//! to end. In between it runs freely; only signals pass through the tracer.

use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::process::{Child, Command};
use std::ptr;
use std::time::{Duration, Instant};

use crate::machine::Usage;

/// A program that has been started and stands still before its first instruction.
pub(super) struct Traced {
    pub(super) child: Child,
    pub(super) begun: Begun,
}

/// The same, for waiting.
pub(super) struct Begun(libc::pid_t);

/// How a program ended.
pub(super) struct End {
    pub(super) process: u32,
    /// `exit status 0`, or `killed by signal 11`.
    pub(super) status: String,
    /// From the first instruction of the loader until the process was gone, without the last look.
    pub(super) elapsed: Duration,
    pub(super) usage: Usage,
    /// What it had mapped at its end, in the form of `/proc/PID/maps`.
    pub(super) maps: Option<String>,
}

/// What a wait was answered with.
enum Event {
    /// The process is about to end.
    Ending,
    /// A signal is to be delivered, or another program takes the process over (0).
    Signal(libc::c_int),
    Gone(String, Usage),
}

/// For the child, between fork and exec: limits its data and asks to be traced.
pub(super) fn before_exec(memory_limit: Option<u64>) -> io::Result<()> {
    if let Some(bytes) = memory_limit {
        let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
        // SAFETY: a limit to be read.
        if unsafe { libc::setrlimit(libc::RLIMIT_DATA, &raw const limit) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    // SAFETY: the other arguments are ignored.
    if unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, ptr::null_mut::<libc::c_void>(), 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

impl Traced {
    /// Starts a command that has [`before_exec`] among what it does.
    pub(super) fn start(command: &mut Command) -> Result<Self, String> {
        let child = command.spawn().map_err(|error| format!("cannot start the program: {error}"))?;
        let process = libc::pid_t::try_from(child.id()).map_err(|error| error.to_string())?;
        let begun = Begun(process);
        match begun.wait()? {
            Event::Signal(libc::SIGTRAP) => {}
            Event::Gone(status, _) => return Err(format!("the program ended before it began: {status}")),
            _ => return Err("the program did not stop where it begins".to_owned()),
        }
        let options = libc::PTRACE_O_EXITKILL | libc::PTRACE_O_TRACEEXIT | libc::PTRACE_O_TRACEEXEC;
        begun.request(libc::PTRACE_SETOPTIONS, options)?;
        Ok(Self { child, begun })
    }
}

impl Begun {
    /// Lets the program run to its end.
    pub(super) fn follow(self) -> Result<End, String> {
        let process = self.0.unsigned_abs();
        let mut maps = None;
        let mut looking = Duration::ZERO;
        let start = Instant::now();
        self.go_on(0)?;
        loop {
            match self.wait()? {
                Event::Ending => {
                    let begin = Instant::now();
                    maps = fs::read_to_string(format!("/proc/{process}/maps")).ok();
                    looking += begin.elapsed();
                    self.go_on(0)?;
                }
                Event::Signal(signal) => self.go_on(signal)?,
                Event::Gone(status, usage) => {
                    let elapsed = start.elapsed().saturating_sub(looking);
                    return Ok(End { process, status, elapsed, usage, maps });
                }
            }
        }
    }

    fn wait(&self) -> Result<Event, String> {
        let mut status = 0;
        let mut usage = MaybeUninit::<libc::rusage>::zeroed();
        loop {
            // SAFETY: places for the status and the figures.
            let got = unsafe { libc::wait4(self.0, &raw mut status, libc::__WALL, usage.as_mut_ptr()) };
            if got == self.0 {
                break;
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(format!("cannot wait for the program: {error}"));
            }
        }
        // SAFETY: all bytes zero is a valid value, and the kernel has written over them.
        let usage = Usage::from(&unsafe { usage.assume_init() });
        if libc::WIFEXITED(status) {
            return Ok(Event::Gone(format!("exit status {}", libc::WEXITSTATUS(status)), usage));
        }
        if libc::WIFSIGNALED(status) {
            return Ok(Event::Gone(format!("killed by signal {}", libc::WTERMSIG(status)), usage));
        }
        Ok(match status >> 16 {
            libc::PTRACE_EVENT_EXIT => Event::Ending,
            0 if self.stands_still(libc::WSTOPSIG(status)) => Event::Signal(0),
            0 => Event::Signal(libc::WSTOPSIG(status)),
            _ => Event::Signal(0),
        })
    }

    /// Whether this stop is not the delivery of a signal but the standing still that followed one, which a program on its
    /// own would be woken from by a shell. Nobody wakes this one, so it goes on.
    fn stands_still(&self, signal: libc::c_int) -> bool {
        if !matches!(signal, libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU) {
            return false;
        }
        let mut about = MaybeUninit::<libc::siginfo_t>::zeroed();
        // SAFETY: a place for what is known about the signal, for a process that stands still.
        let got = unsafe {
            libc::ptrace(libc::PTRACE_GETSIGINFO, self.0, ptr::null_mut::<libc::c_void>(), about.as_mut_ptr())
        };
        got != 0
    }

    fn go_on(&self, signal: libc::c_int) -> Result<(), String> {
        self.request(libc::PTRACE_CONT, signal)
    }

    fn request(&self, request: libc::c_uint, data: libc::c_int) -> Result<(), String> {
        // SAFETY: requests that take a number and no pointer.
        let done = unsafe {
            libc::ptrace(request, self.0, ptr::null_mut::<libc::c_void>(), libc::c_long::from(data))
        };
        let error = io::Error::last_os_error();
        // A process that was killed while it stood still is gone; the next wait says so.
        if done == 0 || error.raw_os_error() == Some(libc::ESRCH) {
            return Ok(());
        }
        Err(format!("cannot trace the program: {error}"))
    }
}
