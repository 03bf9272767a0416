;; Yao's millionaires: two files with a whole number each; the result says whose is larger, and nothing else.
;; Register it with two inputs, one from every party. A number has at most 18 digits; anything else in a file is an error.
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))

  ;; 0: a pointer and a length for reads and writes; 8: what they moved; 12: a descriptor; 256: what was read
  (memory (export "memory") 1)
  (data (i32.const 32) "inputs/0")
  (data (i32.const 40) "inputs/1")
  (data (i32.const 64) "The first is richer.\n")
  (data (i32.const 96) "The second is richer.\n")
  (data (i32.const 128) "They are equally rich.\n")
  (data (i32.const 160) "a file must have one whole number of at most 18 digits\n")

  (func $write (param $to i32) (param $text i32) (param $length i32)
    (i32.store (i32.const 0) (local.get $text))
    (i32.store (i32.const 4) (local.get $length))
    (drop (call $fd_write (local.get $to) (i32.const 0) (i32.const 1) (i32.const 8))))

  (func $refuse
    (call $write (i32.const 2) (i32.const 160) (i32.const 55))
    (call $proc_exit (i32.const 1))
    unreachable)

  ;; The number in the file at a path of 8 bytes. Descriptor 3 is the root; right 2 is to read.
  (func $number (param $path i32) (result i64)
    (local $at i32) (local $end i32) (local $byte i32) (local $digits i32) (local $over i32) (local $number i64)
    (if (call $path_open (i32.const 3) (i32.const 0) (local.get $path) (i32.const 8) (i32.const 0)
          (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 12))
      (then (call $refuse)))
    (local.set $end (i32.const 256))
    (block $all
      (loop $more
        (i32.store (i32.const 0) (local.get $end))
        (i32.store (i32.const 4) (i32.sub (i32.const 4096) (local.get $end)))
        (if (call $fd_read (i32.load (i32.const 12)) (i32.const 0) (i32.const 1) (i32.const 8)) (then (call $refuse)))
        (br_if $all (i32.eqz (i32.load (i32.const 8))))
        (local.set $end (i32.add (local.get $end) (i32.load (i32.const 8))))
        (if (i32.ge_u (local.get $end) (i32.const 4096)) (then (call $refuse)))
        (br $more)))
    (local.set $at (i32.const 256))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $byte (i32.load8_u (local.get $at)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (if (i32.lt_u (i32.sub (local.get $byte) (i32.const 48)) (i32.const 10))
          (then
            ;; A digit after a space that followed digits is a second number.
            (if (local.get $over) (then (call $refuse)))
            (local.set $digits (i32.add (local.get $digits) (i32.const 1)))
            (local.set $number (i64.add (i64.mul (local.get $number) (i64.const 10))
              (i64.extend_i32_u (i32.sub (local.get $byte) (i32.const 48))))))
          (else
            (if (i32.and (i32.ne (local.get $byte) (i32.const 32)) (i32.gt_u (i32.sub (local.get $byte) (i32.const 9)) (i32.const 4)))
              (then (call $refuse)))
            (local.set $over (i32.ne (local.get $digits) (i32.const 0)))))
        (br $next)))
    (if (i32.gt_u (i32.sub (local.get $digits) (i32.const 1)) (i32.const 17)) (then (call $refuse)))
    (local.get $number))

  (func (export "_start") (local $first i64) (local $second i64)
    (local.set $first (call $number (i32.const 32)))
    (local.set $second (call $number (i32.const 40)))
    (if (i64.gt_u (local.get $first) (local.get $second))
      (then (call $write (i32.const 1) (i32.const 64) (i32.const 21)))
      (else (if (i64.lt_u (local.get $first) (local.get $second))
        (then (call $write (i32.const 1) (i32.const 96) (i32.const 22)))
        (else (call $write (i32.const 1) (i32.const 128) (i32.const 23))))))))
