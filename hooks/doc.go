// Package hooks says what git told us: which refs a push changes, what the
// pushed trees hold, and how the hooks are put in place and taken out.
package hooks
