package hostile

// answers are wrong in what they say: the module is as tame as any.
func answers() []Attack { return nil }
