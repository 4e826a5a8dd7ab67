#!/usr/bin/env bash
# Real programs, unmodified, under every strategy of libstrata.so: each must do exactly what it does without the library.
#
#   ci/programs.sh                      every program, every strategy
#   ci/programs.sh --only REGEX         programs whose name matches
#   ci/programs.sh --strategy NAME      one strategy; may be repeated
#   ci/programs.sh --library FILE       a library that is built already
#   ci/programs.sh --trace MODE         traced: exact, aggregate, sampled, log or leaks; options may follow, as in log,frames=8
#   ci/programs.sh --with NAME=VALUE    another setting of the library; may be repeated
#   ci/programs.sh --seconds N          how long a program may take; 180
#   ci/programs.sh --list               the programs and what they run
#
# Compared are standard output, standard error, the exit status, and a digest of every file made. A run counts only where
# the library itself reports, for at least one process, that it served. Programs that are not installed are listed as
# absent; those that bring an allocator of their own are listed with the reason, and must run all the same. With --trace, each
# process writes a trace of its own; all but the largest, which would take much memory, are read, and must not be damaged.
set -uo pipefail
cd "$(dirname "$0")/.."
root=$PWD
only=.
library=
strategies=()
list=
trace=
with=()
seconds=180
while [ $# -gt 0 ]; do
  case $1 in
    --only) only=$2; shift 2 ;;
    --strategy) strategies+=("$2"); shift 2 ;;
    --library) library=$(realpath "$2"); shift 2 ;;
    --trace) trace=$2; shift 2 ;;
    --with) with+=("$2"); shift 2 ;;
    --seconds) seconds=$2; shift 2 ;;
    --list) list=yes; shift ;;
    *) sed -n '2,18p' "$0" >&2; exit 2 ;;
  esac
done
mode=${trace%%,*}
options=${trace#"$mode"}
case $mode in
  '' | exact | aggregate | sampled | log | leaks) ;;
  *) echo "programs: --trace takes exact, aggregate, sampled, log or leaks" >&2; exit 2 ;;
esac
[ ${#strategies[@]} -gt 0 ] || strategies=(ptmalloc freelist mem_io bump libc)

# name | programs that it needs | what is run, in an empty folder, by bash. $data has the inputs made below.
programs() {
  cat <<'END'
python-json | python3 | python3 -m unittest -q test.test_json 2>&1 | sed -E 's/in [0-9.]+s/in TIME/'
python-threading | python3 | python3 -m unittest -q test.test_queue test.test_threading_local 2>&1 | sed -E 's/in [0-9.]+s/in TIME/'
python-subprocess | python3 | python3 -m unittest -q test.test_subprocess.POSIXProcessTestCase 2>&1 | sed -E 's/in [0-9.]+s/in TIME/'
python-pool | python3 | python3 -c 'import multiprocessing as m; print(sum(m.get_context("fork").Pool(4).map(hash, range(20000))))'
python-threads | python3 | python3 $data/threads.py
perl-hashes | perl | PERL_HASH_SEED=0 perl -e 'my %h; $h{$_ % 9973} .= "x$_" for 1..300000; print length(join ",", map {$h{$_}} sort keys %h), "\n"'
git-log | git | git -C $data/repository log --stat --format='%h %s' | sha256sum
git-clone-gc | git | git clone -q --no-hardlinks $data/repository copy && git -C copy gc -q --aggressive && git -C copy fsck --full 2>&1 && git -C copy rev-parse HEAD && rm -rf copy
sqlite | sqlite3 | sqlite3 base.db < $data/base.sql && sha256sum base.db
gcc-O2 | gcc | gcc -O2 -c $data/large.c -o large.o && sha256sum large.o
g++-O2 | g++ | g++ -std=c++17 -O2 -c $data/templates.cpp -o templates.o && sha256sum templates.o
g++-run | g++ | g++ -std=c++17 -O1 -pthread $data/templates.cpp -o templates && ./templates && rm templates
make-parallel | make gcc | cp $data/Makefile $data/large.c . && make -s -j4 && sha256sum out/*.o
tar-xz | tar xz | tar -C $data --sort=name --mtime=@0 --owner=0 --group=0 -cf - text | xz -T2 -3 | sha256sum
gzip | gzip | gzip -n -9 < $data/text/lines | sha256sum
bzip2 | bzip2 | bzip2 < $data/text/lines | sha256sum
zstd | zstd | zstd -q -T2 -12 < $data/text/lines | zstd -q -d | sha256sum
awk | awk | awk '{n[$1 % 5003] += $2; l[$3] = l[$3] " " $1} END {for (k in n) s += n[k] * k; print s, length(l)}' $data/text/lines
sort-large | sort | LC_ALL=C sort -S 64M --parallel=2 -k3 $data/text/lines | sha256sum
sort-locale | sort | sort -u -k2n $data/text/lines | sha256sum
sed | sed | sed -E 's/([0-9]+) ([0-9]+)/\2-\1/; s/a(.)/\1A/g' $data/text/lines | sha256sum
grep | grep | grep -cE '(1[0-9]*7|a.c).*(9|zz)' $data/text/lines
find | find | find /usr/include -name '*.h' -newermt 1980-01-01 -printf '%s %p\n' | LC_ALL=C sort | sha256sum
xargs | xargs | find /usr/include -maxdepth 1 -name '*.h' -print0 | xargs -0 -P4 -n8 sha256sum | LC_ALL=C sort | sha256sum
diff | diff | head -n 20000 $data/text/lines > a; sed 's/77/seventy-seven/' a > b; diff -u --label a --label b a b | sha256sum
bash-script | bash | bash $data/script.sh
dash | sh | for i in 1 2 3; do sh -c 'i=0; while [ $i -lt 2000 ]; do i=$((i+1)); v="$v $i"; done; echo ${#v}'; done
node | node | node $data/worker.js
javac-java | javac java | cp $data/Many.java . && javac -J-XX:TieredStopAtLevel=1 -d classes Many.java && java -cp classes Many && rm -rf classes
jq | jq | jq -c '[.[] | select(.n % 3 == 0) | {k: .name, v: (.n * 2)}] | length, .[77]' $data/numbers.json
openssl | openssl | openssl dgst -sha3-256 < $data/text/lines; openssl enc -aes-256-ctr -K 00 -iv 00 -in $data/text/lines 2>/dev/null | sha256sum
bc | bc | echo 'scale=600; 4*a(1)' | bc -l | sha256sum
vim | vim | cp $data/text/lines part && vim -Nu NONE -es -c '%s/1/one/ge' -c 'wq! out' part; sha256sum out
gdb | gdb | gdb -q -nx -batch -ex 'info functions ^main$' -ex 'ptype struct tree' $data/large.o 2>&1 | sha256sum
objdump | objdump | objdump -dr $data/large.o | sha256sum
ld | ld | ld -r -o all.o $data/large.o $data/large2.o && sha256sum all.o
gpg | gpg | gpg --batch --no-options --homedir . --print-md sha512 $data/text/lines 2>/dev/null | tr -d ' \n' | sha256sum; rm -f pubring.*
ssh-keygen | ssh-keygen | ssh-keygen -q -t ed25519 -N '' -C none -f key && ssh-keygen -l -f key.pub | cut -d' ' -f1,3-; rm -f key key.pub
strace | strace | strace -f -o log -e trace=write sh -c 'echo traced | cat'; rm -f log
redis | redis-server redis-cli | $data/redis.sh
rayon | cargo | $data/rayon
workspace-tests | cargo | $data/workspace-tests --test-threads=2 --skip kernel_only --skip can_be_looked_into 2>&1 | sed -E '/has been running for over/d; s/in [0-9.]+s/in TIME/' | LC_ALL=C sort
rustc | rustc | rustc --edition 2021 -O --crate-type lib -o lib.rlib $data/lib.rs && rustc -vV | head -n 1
END
}

if [ -n "$list" ]; then
  programs
  exit
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export data=$scratch/data
export LC_ALL=C.UTF-8 HOME=$scratch/home GIT_CONFIG_NOSYSTEM=1 JAVA_TOOL_OPTIONS= PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
unset LD_PRELOAD JAVA_TOOL_OPTIONS
for variable in $(env | sed -n 's/^\(STRATA_[A-Z]*\|MALLOC_[A-Z_]*\|GLIBC_TUNABLES\)=.*/\1/p'); do unset "$variable"; done
mkdir -p "$data/text" "$HOME"

echo "programs: building" >&2
build=${CARGO_TARGET_DIR:-$root/target}
# The home of a user is where rustup looks for toolchains: not the one of the programs.
real_home=$(getent passwd "$(id -u)" | cut -d: -f6)
as_user() { HOME=$real_home "$@"; }
if [ -z "$library" ]; then
  library=$(as_user ci/library.sh) || exit 1
fi
as_user cargo build -q -p strata-preload || exit 1
preload=$build/debug/strata-preload
if [ -n "$trace" ]; then
  as_user cargo build -q --release -p alloc-trace --features report --bin strata-trace || exit 1
  reader=$build/release/strata-trace
fi

# Inputs: made by rule, the same every time.
awk 'BEGIN {srand(7); for (i = 0; i < 200000; i++) printf "%d %d %c%c%s\n", i * 7919 % 200003, int(rand() * 1e6), 97 + i % 26, 97 + i * 7 % 26, i % 17 ? "abc" : "zz"}' > "$data/text/lines"
{
  echo 'struct tree { struct tree *left, *right; long value[3]; };'
  for i in $(seq 1 400); do
    echo "long f$i(struct tree *t, long n) { long s = n; for (long i = 0; i < n; i++) { s += t->value[i % 3] * $i; if (t->left && s % $((i + 2))) t = t->left; else if (t->right) t = t->right; } return s; }"
  done
} > "$data/large.c"
sed 's/ f\([0-9]\)/ g\1/' "$data/large.c" > "$data/large2.c"
gcc -O1 -g -c "$data/large.c" -o "$data/large.o" && gcc -O1 -g -c "$data/large2.c" -o "$data/large2.o"
cat > "$data/templates.cpp" <<'END'
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <regex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>
template <int N> struct Sum { static long of(const std::vector<long> &v) { return v[N % v.size()] + Sum<N - 1>::of(v); } };
template <> struct Sum<0> { static long of(const std::vector<long> &) { return 0; } };
int main() {
  std::vector<long> v(100, 3);
  std::map<std::string, std::vector<std::string>> m;
  for (int i = 0; i < 20000; i++) m[std::to_string(i % 997)].push_back(std::string(i % 60, 'x'));
  std::vector<std::thread> t;
  std::vector<long> found(4);
  for (int k = 0; k < 4; k++)
    t.emplace_back([&, k] {
      std::unordered_map<long, std::string> u;
      for (long i = 0; i < 20000; i++) u[i * k] += std::to_string(i);
      for (auto &e : u) found[k] += static_cast<long>(e.second.size());
    });
  for (auto &one : t) one.join();
  std::regex r("(a+)(b|c)*d");
  std::cout << Sum<300>::of(v) << ' ' << m.size() << ' ' << found[1] + found[3] << ' ' << std::regex_search(std::string(30, 'a') + "bcd", r) << '\n';
}
END
{
  echo 'objects = $(foreach n,1 2 3 4 5 6 7 8,out/$(n).o)'
  echo 'all: $(objects)'
  printf 'out/%%.o: large.c\n\t@mkdir -p out\n\tgcc -O1 -DN=$* -c large.c -o $@\n'
} > "$data/Makefile"
{
  echo 'CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c REAL); BEGIN;'
  awk 'NR <= 60000 {printf "INSERT INTO t(b, c) VALUES (\"%s-%d\", %d.5);\n", $3, $1, $2}' "$data/text/lines"
  echo 'COMMIT; CREATE INDEX i ON t(b, c); ANALYZE; SELECT count(*), sum(c), min(b), max(b) FROM t;'
  echo 'SELECT b, count(*) n FROM t GROUP BY substr(b, 1, 3) ORDER BY n DESC, b LIMIT 20; DELETE FROM t WHERE a % 3 = 0; VACUUM; PRAGMA integrity_check;'
} | tr '"' "'" > "$data/base.sql"
cat > "$data/threads.py" <<'END'
import concurrent.futures as f, hashlib, json, re
def work(n):
    d = {str(i): [i] * (i % 50) for i in range(n * 100)}
    return hashlib.sha256(re.sub("1", "one", json.dumps(d)).encode()).hexdigest()
with f.ThreadPoolExecutor(8) as pool:
    print("\n".join(pool.map(work, range(40))))
END
cat > "$data/worker.js" <<'END'
const { Worker, isMainThread, workerData, parentPort } = require('worker_threads');
if (isMainThread) {
  const all = [0, 1, 2, 3].map(n => new Promise(done => new Worker(__filename, { workerData: n }).on('message', done)));
  Promise.all(all).then(a => console.log(JSON.stringify(a)));
} else {
  const buffers = [];
  for (let i = 0; i < 3000; i++) buffers.push(Buffer.alloc(i % 900 + 1, workerData));
  const text = require('zlib').gzipSync(Buffer.concat(buffers)).toString('base64');
  parentPort.postMessage([workerData, require('crypto').createHash('sha256').update(text).digest('hex')]);
}
END
cat > "$data/Many.java" <<'END'
import java.util.*;
import java.util.stream.*;
public class Many {
  public static void main(String[] a) throws Exception {
    List<Thread> threads = new ArrayList<>();
    long[] sums = new long[8];
    for (int t = 0; t < 8; t++) {
      final int n = t;
      Thread thread = new Thread(() -> {
        for (int i = 0; i < 20; i++) sums[n] += java.nio.ByteBuffer.allocateDirect(100000 + n).capacity();
        sums[n] += IntStream.range(0, 100000).mapToObj(Integer::toString).collect(Collectors.toSet()).size();
      });
      thread.start();
      threads.add(thread);
    }
    for (Thread thread : threads) thread.join();
    System.out.println(Arrays.stream(sums).sum());
  }
}
END
cat > "$data/script.sh" <<'END'
declare -A m
for i in {1..20000}; do m[k$((i % 701))]+="$i,"; done
total=0
for k in "${!m[@]}"; do total=$((total + ${#m[$k]})); done
echo "$total ${#m[@]}"
for i in {1..50}; do echo "$(echo "$i" | tr 0-9 a-j)"; done | sha256sum
mapfile -t lines < <(head -n 5000 "$data/text/lines"); echo "${#lines[@]} ${lines[4321]}"
END
awk 'BEGIN {printf "["; for (i = 0; i < 30000; i++) printf "%s{\"n\":%d,\"name\":\"item %d\",\"l\":[%d,%d]}", i ? "," : "", i, i * 31 % 977, i, i + 1; print "]"}' > "$data/numbers.json"
echo 'pub fn f(v: &[u64]) -> Vec<String> { v.iter().map(|n| format!("{n:x}")).collect() }' > "$data/lib.rs"
cat > "$data/redis.sh" <<'END'
#!/usr/bin/env bash
# A server with a client load over a socket of its own.
redis-server --port 0 --unixsocket "$PWD/socket" --save '' --daemonize no > /dev/null &
server=$!
for _ in $(seq 100); do [ -S socket ] && break; sleep 0.05; done
redis-benchmark -q -s "$PWD/socket" -n 20000 -c 20 -t set,lpush,hset,zadd > /dev/null
for i in $(seq 200); do echo "SET key$i $(printf '%0*d' $((i * 7)) "$i")"; done | redis-cli -s socket | sort | uniq -c
redis-cli -s socket get key150
redis-cli -s socket shutdown nosave
wait $server
END
chmod +x "$data/redis.sh"
git init -q -b main "$data/repository"
cp -r "$root"/alloc-*/src "$data/repository/" 2>/dev/null
for n in 1 2 3 4 5; do
  find "$data/repository" -name '*.rs' -newermt 1980-01-01 | sort | awk -v n=$n 'NR % 5 == n - 1' | xargs sed -i "1i // $n"
  git -C "$data/repository" -c user.name=n -c user.email=n@example.org add -A
  GIT_AUTHOR_DATE="2024-01-0$n 00:00:00Z" GIT_COMMITTER_DATE="2024-01-0$n 00:00:00Z" \
    git -C "$data/repository" -c user.name=n -c user.email=n@example.org commit -q -m "change $n"
done
# Rust programs that use the system's allocator, as those without a `#[global_allocator]` do.
if as_user cargo build -q -p alloc-cabi --example rayon; then cp "$build/debug/examples/rayon" "$data/rayon"; fi
tests=$(as_user cargo test -q -p alloc-core --all-features --test all --no-run --message-format=json 2>/dev/null |
  sed -n 's/.*"name":"all".*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
[ -n "$tests" ] && cp "$tests" "$data/workspace-tests"

# Runs a command in an empty folder, with more variables set for it, and prints what it did.
perform() {
  local folder=$scratch/run command=$1
  shift
  rm -rf "$folder"
  mkdir "$folder"
  (
    cd "$folder" || exit 1
    timeout "$seconds" env "$@" bash -c "$command" > "$scratch/stdout" 2> "$scratch/stderr" < /dev/null
    echo "status $?" > "$scratch/status"
    find . -type f | LC_ALL=C sort | xargs -r sha256sum > "$scratch/files"
  )
  cat "$scratch/stdout"
  sed 's/^/2: /' "$scratch/stderr"
  cat "$scratch/status" "$scratch/files"
}

# Reads the traces of a run, each of which is gone then; says how many there are, their size, and what they lack.
read_traces() {
  local file said size unended=0 count=0 bytes=0 large=0 limit=64
  # A log takes twenty times the bytes of what it tells.
  [ "$mode" != log ] || limit=512
  for file in "$scratch"/traces/*; do
    [ -f "$file" ] || continue
    size=$(stat -c %s "$file")
    count=$((count + 1))
    bytes=$((bytes + size))
    if [ "$size" -gt $((limit << 20)) ]; then
      large=$((large + 1))
      rm "$file"
      continue
    fi
    if [ "$mode" = leaks ]; then
      # Text, which ends with one line of totals; a process that ended by _exit has none.
      if [ -s "$file" ]; then tail -n 1 "$file" | grep -q '^live: ' || { echo "DAMAGED: $(tail -n 1 "$file")"; return; }; else unended=$((unended + 1)); fi
      rm "$file"
      continue
    fi
    said=$(timeout "$seconds" "$reader" json "$file" -o /dev/null 2>&1) || { echo "UNREADABLE: $said"; return; }
    case $said in
      *damaged* | *'no whole block'*) echo "DAMAGED: $said"; return ;;
      *'was not ended'*) unended=$((unended + 1)) ;;
    esac
    rm "$file"
  done
  echo "$count traces, $((bytes / 1024)) KiB, $unended not ended, $large not read"
}

failed=0
ran=0
while IFS='|' read -r name needs command <&3; do
  name=${name// /}
  [[ $name =~ $only ]] || continue
  command=${command# }
  missing=
  refused=
  for need in $needs; do
    command -v "$need" > /dev/null || missing+=" $need"
  done
  if [ -n "$missing" ]; then
    printf '%-18s absent:%s\n' "$name" "$missing"
    continue
  fi
  # One test of 75 lists the open descriptors, of which one is the tracer's.
  if [ -n "$trace" ] && [ "$name" = python-subprocess ]; then
    command='python3 -c '\''import unittest, test.test_subprocess as t; del t.POSIXProcessTestCase.test_pass_fds_redirected
unittest.main(t, argv=["subprocess", "-q", "POSIXProcessTestCase"])'\'' 2>&1 | sed -E "s/in [0-9.]+s/in TIME/"'
  fi
  first=${needs# }
  first=${first%% *}
  case $name in
    rustc) first=$(HOME=$real_home rustup which rustc 2>/dev/null || command -v rustc); export RUSTUP_HOME=${RUSTUP_HOME:-$real_home/.rustup} CARGO_HOME=${CARGO_HOME:-$real_home/.cargo} ;;
  esac
  refused=$("$preload" --library "$library" --check "$first" | sed -n 's/.*not served: //p')
  plain=$(perform "$command")
  again=$(perform "$command")
  if [ "$plain" != "$again" ]; then
    printf '%-18s UNFIT: two runs without the library differ\n' "$name"
    diff <(echo "$plain") <(echo "$again") | head -n 5
    failed=1
    continue
  fi
  if ! grep -q '^status 0$' <<< "$plain"; then
    printf '%-18s UNFIT: it fails without the library\n' "$name"
    tail -n 5 <<< "$plain"
    failed=1
    continue
  fi
  ran=$((ran + 1))
  result=
  for strategy in "${strategies[@]}"; do
    rm -f "$scratch/stats"
    begun=$EPOCHREALTIME
    rm -rf "$scratch/traces"
    mkdir "$scratch/traces"
    under=$(perform "$command" "LD_PRELOAD=$library" "STRATA_STRATEGY=$strategy" "STRATA_STATS=$scratch/stats" \
      ${trace:+"STRATA_TRACE=$mode:$scratch/traces/%p$options"} "${with[@]}")
    took=$(awk -v a="$begun" -v b="$EPOCHREALTIME" 'BEGIN {printf "%.1f", b - a}')
    served=$(grep -c "\"strategy\":\"$strategy\"" "$scratch/stats" 2> /dev/null)
    if [ "$plain" != "$under" ]; then
      result+=" $strategy:DIFFERS"
      failed=1
      echo "$name under $strategy:" >&2
      diff <(echo "$plain") <(echo "$under") | head -n 10 >&2
    elif [ "${served:-0}" -eq 0 ]; then
      result+=" $strategy:NOT-SERVED"
      failed=1
    else
      result+=" $strategy:same(${served} served, ${took}s)"
    fi
    if [ -n "$trace" ]; then
      traces=$(read_traces)
      result+=" [$traces]"
      case $traces in UNREADABLE* | DAMAGED* | '0 traces'*) failed=1 ;; esac
    fi
  done
  [ -z "$refused" ] || result+=" [doctor refuses $first: $refused]"
  printf '%-18s%s\n' "$name" "$result"
done 3< <(programs)
echo "programs: $ran ran under ${strategies[*]}${trace:+, traced: $trace}"
exit $failed
