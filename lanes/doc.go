// Package lanes says which checks exist and which of them a push asks for.
package lanes
