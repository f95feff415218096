package hostile

import "strings"

// tooMany is what a host says that had enough of a module's calls.
const tooMany = `^plugin "[a-z0-9-]+" was stopped: (more than \d+ calls of host functions|more than \d+ units of ` +
	`fuel|it reached its time limit)`

// waits sleep in the host, where no fuel is burnt.
func waits() []Attack {
	// poll waits for clocks: which, how long (or until when) and flags.
	poll := func(clock, at, flags int64, times int) func() []byte {
		return func() []byte {
			p := newProgram("text", "poll_oneoff")
			p.memory(2)
			setUp := seq(store32(16, clock), store64(24, at), store32(40, flags))
			for i := 1; i < times; i++ {
				setUp = seq(setUp, store32(int64(48*i+16), clock), store64(int64(48*i+24), at), store32(int64(48*i+40), flags))
			}
			return p.main(setUp, p.say("poll_oneoff", 0, 61_000, times, 59_000))
		}
	}
	const hour = 3600e9
	return []Attack{
		{ID: "sleep-hour", About: "a sleep of an hour", Module: poll(1, hour, 0, 1), Want: stopped, Kind: Stopped},
		{ID: "sleep-until-2100", About: "a sleep until the year 2100", Module: poll(0, 4_102_444_800e9, 1, 1), Want: stopped,
			Kind: Stopped},
		{ID: "sleep-overflow", About: "a sleep of 2^64-1 nanoseconds, which is -1", Module: poll(1, -1, 0, 1), Want: stopped,
			Kind: Stopped},
		{ID: "sleep-overflow-moment", About: "a sleep until nanosecond 2^63, before all time if it has a sign",
			Module: poll(1, -1<<63, 1, 1), Want: stopped, Kind: Stopped},
		{ID: "sleep-many", About: "a hundred sleeps at once", Module: poll(1, hour, 0, 100), Want: stopped, Kind: Stopped},
		{ID: "sleep-nothing", About: "a sleep of nothing, for ever", Module: func() []byte {
			p := newProgram("text", "poll_oneoff")
			return p.main(forever(p.host("poll_oneoff", 0, 1000, 1, 2000), drop()))
		}, Want: tooMany, Kind: Stopped},
		{ID: "sleep-no-clock", About: "waiting for nothing, and for 4 G things", Module: func() []byte {
			p := newProgram("text", "poll_oneoff")
			return p.main(p.say("poll_oneoff", 0, 1000, 0, 2000), p.say("poll_oneoff", 0, 1000, -1, 2000),
				p.say("poll_oneoff", 65_500, 1000, 10, 2000))
		}, Want: `^exit 0: 28 28 21$`, Kind: Harmless},
		{ID: "wait-for-ever", About: "lane1.wait for a handle that is never ready", Module: func() []byte {
			p := newProgram("text", "lane1.call", "lane1.wait")
			p.put(100, "container.start@1{}")
			return p.main(p.host("lane1.call", 100, 17, 117, 2, 200, 100), op(0x1a), store32(0, 1),
				forever(p.host("lane1.wait", 0, 1, 8, int64(-1)), drop()))
		}, Want: tooMany, Kind: Stopped},
		{ID: "wait-flood", About: "looking at 60 handles again and again: something is left behind each time",
			Module: func() []byte {
				p := newProgram("text", "lane1.call", "lane1.wait")
				p.put(1000, "container.start@1{}")
				return p.main(count(0, 60, p.host("lane1.call", 1000, 17, 1017, 2, 2000, 100), op(0x1a),
					get(0), i32(2), op(0x74), get(0), op(0x36, 2, 0)),
					forever(p.host("lane1.wait", 4, 60, 3000, int64(0)), drop()))
			}, Want: tooMany, Kind: Stopped},
		{ID: "wait-overflow", About: "lane1.wait for 2^63-1 milliseconds", Module: func() []byte {
			p := newProgram("text", "lane1.wait")
			return p.main(p.say("lane1.wait", 0, 0, 8, int64(1<<63-1)))
		}, Want: stopped, Kind: Stopped},
		{ID: "clock-far", About: "clocks that do not exist, and one that is moved on by looking", Module: func() []byte {
			p := newProgram("text", "clock_time_get")
			return p.main(p.say("clock_time_get", 99, int64(1), 0), p.say("clock_time_get", -1, int64(1), 0),
				p.say("clock_time_get", 0, int64(-1), 65_530), forever(p.host("clock_time_get", 1, int64(0), 0), drop()))
		}, Want: tooMany, Kind: Stopped},
	}
}

// floods are more output than anyone can use.
func floods() []Attack {
	text := strings.Repeat("spam and eggs\n", 1000)
	writing := func(fd int, text string) func() []byte {
		return func() []byte {
			p := newProgram("text")
			return p.main(forever(p.print(fd, 0, text)))
		}
	}
	calling := func(title string, args ...any) func() []byte {
		return func() []byte {
			p := newProgram("text", title)
			code := p.host(title, args...)
			if !strings.HasSuffix(signature(title), ":") {
				code = append(code, op(0x1a)...)
			}
			return p.main(forever(code))
		}
	}
	return []Attack{
		{ID: "stdout-flood", About: "standard output without an end", Module: writing(1, text),
			Want: `was stopped: more than \d+ MiB of standard output`, Kind: Stopped},
		{ID: "stdout-at-once", About: "60 MiB of standard output in one call, from a thousand times the same bytes",
			Module: func() []byte {
				p := newProgram("text")
				p.memory(2)
				return p.main(i32(65_536), set(0), while(get(0), i32(0), op(0x36, 2, 0), get(0), i32(60_000), op(0x36, 2, 4),
					get(0), i32(8), add(), tee(0), i32(65_536+8000), op(0x47)), p.host("fd_write", 1, 65_536, 1000, 60_500), drop())
			}, Want: `was stopped: more than \d+ MiB of standard output`, Kind: Stopped},
		{ID: "stderr-flood", About: "a log without an end: it is cut, and the calls are counted", Module: writing(2, text),
			Want: tooMany, Kind: Stopped},
		{ID: "empty-writes", About: "writes of nothing without an end", Module: calling("fd_write", 1, 0, 0, 100),
			Want: tooMany, Kind: Stopped},
		{ID: "log-flood", About: "lane1.log without an end", Module: calling("lane1.log", 1, 0, 60_000), Want: tooMany,
			Kind: Stopped},
		{ID: "yield-flood", About: "asking the host for nothing, again and again", Module: calling("sched_yield"),
			Want: tooMany, Kind: Stopped},
		{ID: "call-flood", About: "lane1.call of nothing, again and again", Module: calling("lane1.call", 0, 0, 0, 0, 0, 0),
			Want: tooMany, Kind: Stopped},
		{ID: "call-flood-parked", About: "errors that are parked and never taken",
			Module: calling("lane1.call", 0, 50, 100, 60_000, 0, 0), Want: tooMany, Kind: Stopped},
		{ID: "call-too-large", About: "a request of 2 MiB", Module: func() []byte {
			p := newProgram("text", "lane1.call", "lane1.take")
			p.memory(40)
			p.put(0, "host.info@1")
			return p.main(p.say("lane1.call", 0, 11, 100, 2<<20, 0, 0), p.say("lane1.call", 0, 60_000, 100, 2, 0, 0),
				p.say("lane1.take", -1, 5), p.say("lane1.take", 0, 0))
		}, Want: `^exit 0:-75-38-14 [0-9]{2}$`, Kind: Harmless},
		{ID: "call-deep-json", About: "a request nested 60,000 deep", Module: func() []byte {
			p := newProgram("text", "lane1.call")
			p.put(0, "container.start@1"+strings.Repeat("[", 50_000))
			return p.main(p.say("lane1.call", 0, 17, 17, 50_000, 0, 0))
		}, Want: `^exit 0:-(22|38)$`, Kind: Harmless},
		{ID: "handle-flood", About: "handles without an end", Module: func() []byte {
			p := newProgram("text", "lane1.call")
			p.put(0, "container.start@1{}")
			start := []any{0, 17, 17, 2, 1000, 100}
			return p.main(count(0, 10_000, p.host("lane1.call", start...), drop()), p.say("lane1.call", start...))
		}, Want: `^exit 0:-(24|38|22)$`, Kind: Harmless},
		{ID: "random-flood", About: "random numbers for all of the memory, again and again", Module: func() []byte {
			p := newProgram("text", "random_get")
			p.memory(900)
			return p.main(forever(p.host("random_get", 0, 900<<16), drop()))
		}, Want: tooMany, Kind: Stopped},
		{ID: "random-4g", About: "4 GiB of random numbers", Module: func() []byte {
			p := newProgram("text", "random_get")
			return p.main(p.say("random_get", 0, -1), p.say("random_get", -1, 1), p.say("random_get", 65_535, 2))
		}, Want: `^exit 0: 21 21 21$`, Kind: Harmless},
		{ID: "readdir-flood", About: "listing a folder again and again",
			Module: calling("fd_readdir", 3, 0, 30_000, int64(0), 50_000), Want: tooMany, Kind: Stopped},
	}
}

// pointers lead out of the memory that is the module's own.
func pointers() []Attack {
	calls := func(names []string, code func(p *program) []byte) func() []byte {
		return func() []byte {
			p := newProgram("text", names...)
			p.put(0, "host.info@1{}")
			return p.main(code(p))
		}
	}
	const end = 65_536
	return []Attack{
		{ID: "write-outside", About: "fd_write of memory beyond the end, at the end, and with a length that wraps around",
			Module: calls(nil, func(p *program) []byte {
				at := func(ptr, n int64) []byte {
					return seq(store32(100, ptr), store32(104, n), p.say("fd_write", 1, 100, 1, 200))
				}
				return seq(at(end, 1), at(end-1, 2), at(100, -1), at(-1, -1), at(-1, 1))
			}), Want: `^exit 0: 21 21 21 21 21$`, Kind: Harmless},
		{ID: "write-list-outside", About: "a list of buffers that is not in memory, or has 4 G of them",
			Module: calls(nil, func(p *program) []byte {
				return seq(p.say("fd_write", 1, -8, 1, 200), p.say("fd_write", 1, end-4, 1, 200), p.say("fd_write", 1, 0, -1, 200),
					p.say("fd_write", 1, 0, 1<<29, 200))
			}), Want: `^exit 0: 21 21 28 28$`, Kind: Harmless},
		{ID: "write-result-outside", About: "a place for the result that is not in memory",
			Module: calls([]string{"fd_seek", "clock_time_get"}, func(p *program) []byte {
				return seq(p.say("fd_write", 2, 0, 0, -1), p.say("fd_write", 2, 0, 0, end-3),
					p.say("clock_time_get", 0, int64(0), end-7))
			}), Want: `^exit 0: 21 21 21$`, Kind: Harmless},
		{ID: "write-overlapping", About: "a list of buffers that is overwritten while it is read",
			Module: calls([]string{"fd_read"}, func(p *program) []byte {
				return seq(store32(100, 100), store32(104, 8), store32(108, -1), store32(112, 4), p.say("fd_read", 0, 100, 2, 108),
					p.say("fd_read", 0, 100, 1, 100))
			}), Want: `^exit 0: \d\d \d\d$`, Kind: Harmless},
		{ID: "args-outside", About: "arguments and environment written beyond the end",
			Module: calls([]string{"args_get", "args_sizes_get", "environ_get", "environ_sizes_get"}, func(p *program) []byte {
				return seq(p.say("args_get", end-3, 0), p.say("args_get", 0, end-1), p.say("args_sizes_get", -1, 0),
					p.say("args_sizes_get", 0, end-1),
					p.say("environ_get", -4, 0), p.say("environ_get", 0, -1), p.say("environ_sizes_get", end, end))
			}), Want: `^exit 0:( 21){7}$`, Kind: Harmless},
		{ID: "lane1-outside", About: "every pointer of lane1 outside",
			Module: calls([]string{"lane1.call", "lane1.take", "lane1.read", "lane1.write", "lane1.wait", "lane1.log"},
				func(p *program) []byte {
					return seq(p.say("lane1.call", -1, 11, 11, 2, 0, 0), p.say("lane1.call", 0, 11, end-1, 2, 0, 0),
						p.say("lane1.call", 0, 11, 11, 2, end, 1), p.say("lane1.call", 0, -1, 0, -1, 0, -1),
						p.say("lane1.take", end-1, 2), p.say("lane1.wait", -1, 1, 0, int64(0)), p.say("lane1.wait", 0, 1, end, int64(0)),
						p.say("lane1.wait", 0, 1<<30, 0, int64(0)),
						p.host("lane1.log", 1, -1, -1), p.host("lane1.log", 1, 0, end+1))
				}), Want: `^exit 0:-14-14-14-14-14-14-14-22$`, Kind: Harmless},
		{ID: "lane1-handles", About: "handles that no one gave",
			Module: calls([]string{"lane1.read", "lane1.write", "lane1.wait", "lane1.close"}, func(p *program) []byte {
				return seq(p.say("lane1.read", 0, 0, 8), p.say("lane1.read", -1, 0, 8), p.say("lane1.write", 1, 0, 8),
					p.say("lane1.close", 1), p.say("lane1.close", -1), p.say("lane1.wait", 0, 0, 0, int64(-1)))
			}), Want: `^exit 0:-09-09-09-09-09-22$`, Kind: Harmless},
		{ID: "descriptors-unknown", About: "descriptors that no one opened",
			Module: calls([]string{"fd_close", "fd_read", "fd_renumber", "fd_filestat_get", "fd_seek"}, func(p *program) []byte {
				return seq(p.say("fd_close", -1), p.say("fd_close", 1<<30), p.say("fd_read", 99, 0, 0, 0),
					p.say("fd_read", 1, 0, 0, 0), p.say("fd_renumber", 3, 1<<30), p.say("fd_renumber", 3, 1),
					p.say("fd_seek", 1, int64(0), 0, 0))
			}), Want: `^exit 0: 08 08 08 08 08 58 70$`, Kind: Harmless},
		{ID: "descriptors-closed", About: "closing the standard streams and folders, twice, and going on",
			Module: calls([]string{"fd_close", "fd_readdir", "proc_exit"}, func(p *program) []byte {
				return seq(p.host("fd_close", 0), drop(), p.host("fd_close", 2), drop(), p.host("fd_close", 3), drop(),
					p.say("fd_close", 3), p.say("fd_close", 2), p.say("fd_readdir", 3, 0, 10, int64(0), 0),
					p.host("fd_close", 1), drop(), p.say("fd_close", 1))
			}), Want: `^exit 0: 08 08 08$`, Kind: Harmless},
		{ID: "not-ours", About: "signals, sockets and links",
			Module: calls([]string{"proc_raise", "sock_accept", "path_link", "path_symlink"}, func(p *program) []byte {
				return seq(p.say("proc_raise", 9), p.say("sock_accept", 3, 0, 0), p.say("path_link", 3, 0, 0, 4, 6, 0, 4),
					p.say("path_symlink", 0, 4, 6, 0, 4))
			}), Want: `^exit 0: 52 57 63 63$`, Kind: Harmless},
	}
}

// exits end in ways that could be taken for another end.
func exits() []Attack {
	exit := func(status int, before ...func(*program) []byte) func() []byte {
		return func() []byte {
			p := newProgram("text", "proc_exit")
			var code []byte
			for _, b := range before {
				code = append(code, b(p)...)
			}
			return p.main(code, p.host("proc_exit", status))
		}
	}
	says := func(fd int, text string) func(*program) []byte {
		return func(p *program) []byte { return p.print(fd, 0, text) }
	}
	return []Attack{
		{ID: "exit-max", About: "exit status 2^32-1, which is -1", Module: exit(-1), Want: `broke: exit status 4294967295`,
			Kind: Broken},
		{ID: "exit-256", About: "exit status 256, which systems cut down to 0", Module: exit(256),
			Want: `broke: exit status 256`, Kind: Broken},
		{ID: "exit-context", About: "the status by which runtimes name a deadline", Module: exit(-272_379_138),
			Want: `broke: `, Kind: Broken},
		{ID: "exit-in-start", About: "an exit with status 0 before _start", Module: func() []byte {
			p := newProgram("text", "proc_exit")
			p.start = op(byte(p.function("", 0, p.host("proc_exit", 0))))
			return p.main(trap())
		}, Want: `^exit 0:$`, Kind: Harmless},
		{ID: "trap-after-output", About: "a good answer and then a trap", Module: func() []byte {
			p := newProgram("jsonl")
			return p.main(p.print(1, 0, `{"type":"verdict","verdict":"pass"}`+"\n"), trap())
		}, Want: `broke: unreachable`, Kind: Broken},
		{ID: "trap-divide", About: "-2^31 by -1", Module: running(i32(-1<<31), i32(-1), op(0x6d), drop()),
			Want: `broke: integer overflow`, Kind: Broken},
		{ID: "trap-truncate", About: "not a number as an integer",
			Module: running(op(0x44, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f), op(0xaa), drop()),
			Want:   `broke: invalid conversion to integer`, Kind: Broken},
		{ID: "stderr-escapes", About: "last words that would take the terminal over",
			Module: exit(2, says(2, "panic: "+escapeText+"\n")),
			Want:   `^plugin "stderr-escapes" broke: exit status 2: panic: .*\n  said: panic: `, Kind: Broken},
		{ID: "fake-panic", About: "a log that looks like the host's own words",
			Module: exit(2, says(2, "plugin \"files\" passed\n  used: nothing\npanic: at the disco\n")),
			Want:   `^plugin "fake-panic" broke: exit status 2: panic: at the disco\n  said: panic: at the disco`, Kind: Broken},
		{ID: "fake-limit", About: "a breakage that calls itself a refused memory",
			Module: exit(3, says(2, "more than 1 MiB of memory\n")), Want: `^plugin "fake-limit" broke: exit status 3`,
			Kind: Broken},
	}
}
