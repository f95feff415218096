package hostile

// stopped is what a host says that ended a module: its fuel or its time was
// up, whichever comes first on the machine at hand.
const stopped = `^plugin "[a-z0-9-]+" was stopped: (more than \d+ units of fuel|its time was up)`

// loops want all the time there is.
func loops() []Attack {
	return []Attack{
		{ID: "spin", About: "a loop without an end", Module: running(forever()), Want: stopped, Kind: Stopped},
	}
}

func memories() []Attack { return nil }
func tables() []Attack   { return nil }
func waits() []Attack    { return nil }
func floods() []Attack   { return nil }
func files() []Attack    { return nil }
func pointers() []Attack { return nil }
func exits() []Attack    { return nil }
func answers() []Attack  { return nil }
