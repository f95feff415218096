// What plugins spend their time on, without a library: standard input's first
// byte says which.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint32_t sieve(void) {
  enum { n = 2000000 };
  static uint8_t out[n];
  memset(out, 0, n);
  uint32_t primes = 0;
  for (uint32_t i = 2; i < n; i++) {
    if (out[i]) continue;
    primes++;
    for (uint32_t k = i + i; k < n; k += i) out[k] = 1;
  }
  return primes;
}

static uint32_t hash(void) {
  enum { n = 4 << 20 };
  static uint8_t data[n];
  uint32_t h = 2166136261u;
  for (int round = 0; round < 4; round++)
    for (int i = 0; i < n; i++) {
      h = (h ^ data[i]) * 16777619u;
    }
  return h;
}

static uint32_t matrix(void) {
  enum { n = 160 };
  static double a[n][n], b[n][n], c[n][n];
  for (int i = 0; i < n; i++)
    for (int k = 0; k < n; k++) a[i][k] = i + k, b[i][k] = i - k, c[i][k] = 0;
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++)
      for (int k = 0; k < n; k++) c[i][j] += a[i][k] * b[k][j];
  return (uint32_t)(int64_t)c[3][4];
}

// json walks over text as a parser does, a call for each value.
static const char *json(const char *p, uint32_t *values) {
  while (*p == ' ' || *p == '\n' || *p == ',' || *p == ':') p++;
  ++*values;
  switch (*p) {
    case '[':
    case '{':
      for (p++; *p && *p != ']' && *p != '}';) p = json(p, values);
      return *p ? p + 1 : p;
    case '"':
      for (p++; *p && *p != '"'; p++)
        if (*p == '\\') p++;
      return *p ? p + 1 : p;
    default:
      while (*p && !strchr(" \n,:]}", *p)) p++;
      return p;
  }
}

static uint32_t parse(void) {
  static const char one[] = "{\"path\": \"src/a/b.c\", \"line\": 127, \"tags\": [\"x\", \"y\\\"z\", true]},\n";
  enum { times = 20000 };
  char *text = malloc(times * (sizeof one - 1) + 3), *p = text;
  *p++ = '[';
  for (int i = 0; i < times; i++, p += sizeof one - 1) memcpy(p, one, sizeof one - 1);
  strcpy(p, "]");
  uint32_t values = 0;
  json(text, &values);
  free(text);
  return values;
}

static int ascending(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

static uint32_t sort(void) {
  enum { n = 200000 };
  static uint32_t v[n];
  uint32_t seed = 1;
  for (int i = 0; i < n; i++) v[i] = seed = seed * 1664525u + 1013904223u;
  qsort(v, n, sizeof *v, ascending);
  return v[n / 2];
}

__attribute__((noinline)) static uint32_t calls(uint32_t n) { return n < 2 ? n : calls(n - 1) + calls(n - 2); }

int main(void) {
  char which = 0;
  if (read(0, &which, 1) != 1) return 3;
  uint32_t got = 0;
  switch (which) {
    case 's': got = sieve(); break;
    case 'h': got = hash(); break;
    case 'm': got = matrix(); break;
    case 'j': got = parse(); break;
    case 'q': got = sort(); break;
    case 'c': got = calls(30); break;
    default: return 4;
  }
  write(1, &got, sizeof got);
  return 0;
}
