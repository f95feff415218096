;; A command that runs a checker written in JavaScript over the files that its
;; arguments name. It is joined with quickjs.wasm, whose memory it uses; the
;; checker's text is a data segment. Its function check(), given the globals
;; path and text, returns what there is to print. Status 1: something was.
(module
  (import "qjs" "memory" (memory 0))
  (import "qjs" "_initialize" (func $initialize))
  (import "qjs" "wasm_malloc" (func $malloc (param i32) (result i32)))
  (import "qjs" "qjs_init" (func $init (result i32)))
  (import "qjs" "qjs_set_max_stack_size" (func $set_stack (param i32)))
  (import "qjs" "qjs_eval" (func $eval (param $text i32) (param $len i32) (param $name i32) (param $flags i32) (result i32)))
  (import "qjs" "qjs_is_exception" (func $is_exception (param i32) (result i32)))
  (import "qjs" "qjs_get_exception" (func $exception (result i32)))
  (import "qjs" "qjs_get_global" (func $global (result i32)))
  (import "qjs" "qjs_new_string" (func $string (param $text i32) (param $len i32) (result i32)))
  (import "qjs" "qjs_set_prop_string" (func $set (param $object i32) (param $name i32) (param $value i32) (result i32)))
  (import "qjs" "qjs_get_string_len" (func $text_of (param $value i32) (param $len i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open" (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (data $checker "@CHECKER@\00")
  (data $words "check()\00path\00text\00")
  (global $words (mut i32) (i32.const 0))
  (global $cell (mut i32) (i32.const 0))  ;; four numbers for the system's answers
  (global $room i32 (i32.const 4194304))  ;; of one file
  (global $buffer (mut i32) (i32.const 0))

  ;; What quickjs.wasm wants of its host: no time zone, nothing to interrupt, no modules.
  (func (export "host_get_timezone_offset") (param i32 i32) (result i32) (i32.const 0))
  (func (export "host_interrupt") (result i32) (i32.const 0))
  (func (export "host_promise_rejection") (param i32 i32 i32))
  (func (export "host_module_normalize") (param i32 i32) (result i32) (i32.const 0))
  (func (export "host_module_load") (param i32 i32) (result i32) (i32.const 0))
  (func (export "host_call") (param i32 i32 i32 i32 i32) (result i32) (i32.const 0))

  ;; Prints a value and returns the length of its text.
  (func $print (param $fd i32) (param $value i32) (result i32)
    (i32.store (global.get $cell) (call $text_of (local.get $value) (i32.add (global.get $cell) (i32.const 4))))
    (if (call $fd_write (local.get $fd) (global.get $cell) (i32.const 1) (i32.add (global.get $cell) (i32.const 8)))
      (then (call $exit (i32.const 2))))
    (i32.load offset=4 (global.get $cell)))

  ;; Carries out JavaScript; an exception ends the program.
  (func $do (param $text i32) (param $len i32) (result i32)
    (local $value i32)
    (local.set $value (call $eval (local.get $text) (local.get $len) (global.get $words) (i32.const 0)))
    (if (call $is_exception (local.get $value))
      (then
        (drop (call $print (i32.const 2) (call $exception)))
        (call $exit (i32.const 2))))
    (local.get $value))

  (func $length (param $text i32) (result i32)
    (local $n i32)
    (loop $on
      (if (i32.load8_u (i32.add (local.get $text) (local.get $n)))
        (then (local.set $n (i32.add (local.get $n) (i32.const 1))) (br $on))))
    (local.get $n))

  ;; Reads /src/... into the buffer and returns its length.
  (func $load (param $path i32) (result i32)
    (local $fd i32) (local $len i32)
    (if (call $path_open (i32.const 3) (i32.const 0) (i32.add (local.get $path) (i32.const 5)) (i32.sub (call $length (local.get $path)) (i32.const 5))
        (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (global.get $cell))
      (then (call $exit (i32.const 3))))
    (local.set $fd (i32.load (global.get $cell)))
    (loop $on
      (i32.store (global.get $cell) (i32.add (global.get $buffer) (local.get $len)))
      (i32.store offset=4 (global.get $cell) (i32.sub (global.get $room) (local.get $len)))
      (if (call $fd_read (local.get $fd) (global.get $cell) (i32.const 1) (i32.add (global.get $cell) (i32.const 8)))
        (then (call $exit (i32.const 3))))
      (local.set $len (i32.add (local.get $len) (i32.load offset=8 (global.get $cell))))
      (if (i32.eq (local.get $len) (global.get $room)) (then (call $exit (i32.const 3)))) ;; too large
      (br_if $on (i32.load offset=8 (global.get $cell))))
    (local.get $len))

  (func $check (param $path i32) (result i32)
    (drop (call $set (call $global) (i32.add (global.get $words) (i32.const 8)) (call $string (local.get $path) (call $length (local.get $path)))))
    (drop (call $set (call $global) (i32.add (global.get $words) (i32.const 13)) (call $string (global.get $buffer) (call $load (local.get $path)))))
    (call $print (i32.const 1) (call $do (global.get $words) (i32.const 7))))

  (func $prepare
    (local $checker i32)
    (call $initialize)
    (drop (call $init))
    (call $set_stack (i32.const 0))
    (global.set $words (call $malloc (i32.const 18)))
    (memory.init $words (global.get $words) (i32.const 0) (i32.const 18))
    (global.set $cell (call $malloc (i32.const 16)))
    (global.set $buffer (call $malloc (global.get $room)))
    (local.set $checker (call $malloc (i32.const @LENGTH@)))
    (memory.init $checker (local.get $checker) (i32.const 0) (i32.const @LENGTH@))
    (drop (call $do (local.get $checker) (i32.const @TEXT@))))

  (func (export "_start")
    (local $argv i32) (local $n i32) (local $found i32)
    (call $prepare)
    (drop (call $args_sizes (global.get $cell) (i32.add (global.get $cell) (i32.const 4))))
    (local.set $n (i32.load (global.get $cell)))
    (local.set $argv (call $malloc (i32.mul (local.get $n) (i32.const 4))))
    (drop (call $args (local.get $argv) (call $malloc (i32.load offset=4 (global.get $cell)))))
    (loop $on
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (local.set $argv (i32.add (local.get $argv) (i32.const 4)))
      (if (i32.gt_s (local.get $n) (i32.const 0))
        (then
          (if (call $check (i32.load (local.get $argv))) (then (local.set $found (i32.const 1))))
          (br $on))))
    (call $exit (local.get $found))))
