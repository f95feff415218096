package wasm

// nameSection copies the function names of a module, for traces, and gives the
// tick function its own. A name section that is wrong in itself is left out:
// nothing but traces depends on it.
func nameSection(module []byte, f *facts) []byte {
	names := []byte{}
	n := uint32(0)
	for _, s := range f.sections {
		if s.id != 0 || s.name != "name" {
			continue
		}
		if list, count, fine := functionNames(&reader{data: module, pos: s.body, end: s.end}, f); fine {
			names, n = list, count
		}
		break
	}
	list := append(appendU32(nil, n+1), names...)
	list = appendName(appendU32(list, uint32(f.allFuncs())), tickName)
	body := appendSection(appendName(nil, "name"), 1, list)
	return appendSection(nil, 0, body)
}

// functionNames finds the entries of the function names and counts them. They
// must be in order, of functions that exist and of moderate length.
func functionNames(r *reader, f *facts) (entries []byte, n uint32, fine bool) {
	for r.err == nil && r.left() > 0 {
		id, size := r.byte(), r.u32()
		if int64(size) > int64(r.left()) {
			return nil, 0, false
		}
		if id != 1 {
			r.skip(int(size))
			continue
		}
		in := &reader{data: r.data, pos: r.pos, end: r.pos + int(size)}
		count := in.count("names", maxFuncs)
		start, last := in.pos, int64(-1)
		for range count {
			index := int64(in.index("function", f.allFuncs()))
			in.name()
			if index <= last {
				return nil, 0, false
			}
			last = index
		}
		return r.data[start:in.pos], uint32(count), in.err == nil && in.left() == 0
	}
	return nil, 0, false
}
