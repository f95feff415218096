package lanes

// Nearest is the name closest to the one written, or empty when none is close
// enough to be what was meant.
func Nearest(written string, names []string) string {
	best, least := "", len(written)/3+2
	if len(written) > 100 {
		return ""
	}
	for _, name := range names {
		if abs(len(written)-len(name)) >= least {
			continue
		}
		if d := distance(written, name); d < least {
			best, least = name, d
		}
	}
	return best
}

func abs(n int) int { return max(n, -n) }

// distance counts the letters to add, drop, change or swap to get from a to b.
func distance(a, b string) int {
	older, old := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range old {
		old[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			same := 1
			if a[i] == b[j] {
				same = 0
			}
			row[j+1] = min(old[j]+same, old[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], older[j-1]+1)
			}
		}
		older, old = old, row
	}
	return old[len(b)]
}
