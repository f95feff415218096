// What plugins spend their time on: standard input's first byte says which.
use std::collections::HashMap;
use std::io::{Read, Write};

fn sieve() -> u32 {
    let n = 2_000_000usize;
    let mut out = vec![false; n];
    let mut primes = 0;
    for i in 2..n {
        if out[i] {
            continue;
        }
        primes += 1;
        let mut k = i + i;
        while k < n {
            out[k] = true;
            k += i;
        }
    }
    primes
}

fn hash() -> u32 {
    let data = vec![0u8; 4 << 20];
    let mut h = 2166136261u32;
    for _ in 0..4 {
        for b in &data {
            h = (h ^ *b as u32).wrapping_mul(16777619);
        }
    }
    h
}

fn matrix() -> u32 {
    let n = 160;
    let (mut a, mut b, mut c) = (vec![0f64; n * n], vec![0f64; n * n], vec![0f64; n * n]);
    for i in 0..n {
        for k in 0..n {
            a[i * n + k] = (i + k) as f64;
            b[i * n + k] = i as f64 - k as f64;
        }
    }
    for i in 0..n {
        for j in 0..n {
            for k in 0..n {
                c[i * n + j] += a[i * n + k] * b[k * n + j];
            }
        }
    }
    c[3 * n + 4] as i64 as u32
}

fn parse() -> u32 {
    let text = "path=src/a/b.c line=127 tags=x,y,z\n".repeat(20_000);
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for line in text.lines() {
        for field in line.split_whitespace() {
            if let Some((key, value)) = field.split_once('=') {
                *seen.entry(key).or_default() += value.len();
            }
        }
    }
    seen["path"] as u32
}

fn sort() -> u32 {
    let mut seed = 1u32;
    let mut v: Vec<u32> = (0..200_000)
        .map(|_| {
            seed = seed.wrapping_mul(1664525).wrapping_add(1013904223);
            seed
        })
        .collect();
    v.sort();
    v[v.len() / 2]
}

#[inline(never)]
fn calls(n: u32) -> u32 {
    if n < 2 {
        n
    } else {
        calls(n - 1) + calls(n - 2)
    }
}

fn main() {
    let mut which = [0u8];
    std::io::stdin().read_exact(&mut which).unwrap();
    let got = match which[0] {
        b's' => sieve(),
        b'h' => hash(),
        b'm' => matrix(),
        b'j' => parse(),
        b'q' => sort(),
        b'c' => calls(30),
        _ => std::process::exit(4),
    };
    std::io::stdout().write_all(&got.to_le_bytes()).unwrap();
}
