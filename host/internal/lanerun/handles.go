package lanerun

import (
	"encoding/json"
	"fmt"

	"github.com/pushlane/pushlane/host/internal/wasm"
)

// AddHandle gives a plugin a handle, and is the answer that names it.
func AddHandle(handles *wasm.Handles, h wasm.Handle) ([]byte, error) {
	n, err := handles.Add(h)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, `{"handle":%d}`, n), nil
}

// WithHandle finds what a request names by its handle.
func WithHandle[T wasm.Handle](handles *wasm.Handles, req []byte, what string,
	do func(T) ([]byte, error)) ([]byte, error) {
	var r struct {
		Handle uint32 `json:"handle"`
	}
	if err := json.Unmarshal(req, &r); err != nil {
		return nil, &wasm.OpError{Code: wasm.Invalid, Message: err.Error()}
	}
	h, _ := handles.Get(r.Handle)
	one, ok := h.(T)
	if !ok {
		return nil, &wasm.OpError{Code: wasm.BadHandle, Message: fmt.Sprintf("handle %d is not a %s", r.Handle, what)}
	}
	return do(one)
}

// Invalid is the answer to a request that is malformed.
func Invalid(format string, args ...any) error {
	return &wasm.OpError{Code: wasm.Invalid, Message: fmt.Sprintf(format, args...)}
}
