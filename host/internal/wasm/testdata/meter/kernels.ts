// What plugins spend their time on: standard input's first byte says which.

@external("wasi_snapshot_preview1", "fd_read")
declare function fdRead(fd: i32, areas: usize, n: i32, done: usize): i32;

@external("wasi_snapshot_preview1", "fd_write")
declare function fdWrite(fd: i32, areas: usize, n: i32, done: usize): i32;

@external("wasi_snapshot_preview1", "proc_exit")
declare function procExit(status: i32): void;

export function abort(_message: string | null, _file: string | null, _line: u32, _column: u32): void {
  procExit(2);
}

function sieve(): u32 {
  const out = new Uint8Array(2_000_000);
  let primes: u32 = 0;
  for (let i = 2; i < out.length; i++) {
    if (out[i]) continue;
    primes++;
    for (let k = i + i; k < out.length; k += i) out[k] = 1;
  }
  return primes;
}

function hash(): u32 {
  const data = new Uint8Array(4 << 20);
  let h: u32 = 2166136261;
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < data.length; i++) h = (h ^ data[i]) * 16777619;
  }
  return h;
}

function matrix(): u32 {
  const n = 160;
  const a = new Float64Array(n * n), b = new Float64Array(n * n), c = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < n; k++) {
      a[i * n + k] = i + k;
      b[i * n + k] = i - k;
    }
  }
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      for (let k = 0; k < n; k++) c[i * n + j] += a[i * n + k] * b[k * n + j];
    }
  }
  return <u32>(<i64>c[3 * n + 4]);
}

function parse(): u32 {
  const seen = new Map<string, i32>();
  const lines = "path=src/a/b.c line=127 tags=x,y,z\n".repeat(4_000).split("\n");
  for (let i = 0; i < lines.length; i++) {
    const fields = lines[i].split(" ");
    for (let k = 0; k < fields.length; k++) {
      const at = fields[k].indexOf("=");
      if (at < 0) continue;
      const key = fields[k].substring(0, at);
      seen.set(key, (seen.has(key) ? seen.get(key) : 0) + fields[k].length - at - 1);
    }
  }
  return seen.get("path");
}

function sort(): u32 {
  const v = new Array<u32>(200_000);
  let seed: u32 = 1;
  for (let i = 0; i < v.length; i++) {
    seed = seed * 1664525 + 1013904223;
    v[i] = seed;
  }
  v.sort((x, y) => (x < y ? -1 : i32(x > y)));
  return v[v.length / 2];
}

function calls(n: u32): u32 {
  return n < 2 ? n : calls(n - 1) + calls(n - 2);
}

const areas = memory.data(16), which = memory.data(4), got = memory.data(4);

store<u32>(areas, <u32>which);
store<u32>(areas, 1, 4);
fdRead(0, areas, 1, areas + 8);
const w = load<u8>(which);
if (w == 0x73) store<u32>(got, sieve());
else if (w == 0x68) store<u32>(got, hash());
else if (w == 0x6d) store<u32>(got, matrix());
else if (w == 0x6a) store<u32>(got, parse());
else if (w == 0x71) store<u32>(got, sort());
else if (w == 0x63) store<u32>(got, calls(30));
else procExit(4);
store<u32>(areas, <u32>got);
store<u32>(areas, 4, 4);
fdWrite(1, areas, 1, areas + 8);
