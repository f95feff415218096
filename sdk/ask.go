package sdk

import "errors"

// Operations of module lane1 next to those of containers.
const (
	opGet      = "kv.get@1"
	opSet      = "kv.set@1"
	opRequest  = "http.request@1"
	opResponse = "http.response@1"
)

// Get returns the value that this plugin stored under a name for this repository.
// Needs the capability "kv".
func (r *Run) Get(name string) (value string, found bool, err error) {
	answer, err := r.host.call(opGet, keyOnly(name))
	if err != nil {
		return "", false, err
	}
	v, err := ParseValue(answer)
	if err != nil {
		return "", false, errors.New("cannot " + opGet + ": the host's response: " + err.Error())
	}
	return v.Get("value").String(), v.Get("value").Exists(), nil
}

// Set stores a value of at most 64 KiB under a name of at most 256 bytes, for this
// plugin's later runs in this repository. Needs the capability "kv".
func (r *Run) Set(name, value string) error {
	m := object(nil)
	m.text("name", name)
	m.text("value", value)
	_, err := r.host.call(opSet, m.end())
	return err
}

// Delete deletes the value of a name. Needs the capability "kv".
func (r *Run) Delete(name string) error {
	_, err := r.host.call(opSet, keyOnly(name))
	return err
}

func keyOnly(name string) []byte {
	m := object(nil)
	m.text("name", name)
	return m.end()
}

// HTTPRequest is a request that the host makes for the plugin, which has no
// network. Its host must be in the lane's grant.
type HTTPRequest struct {
	Method        string            // empty: GET
	URL           string            // https, or http to the host's own machine
	Headers       map[string]string // headers about the transport are set by the host
	SecretHeaders map[string]string // "Bearer {{TOKEN}}": the host puts the secret in; needs the capability "secret"
	Body          string            // UTF-8
	MaxBytes      int64             // of the response body; 0: 8 MiB. A longer one is an error
	Millis        int64             // 0: a minute
}

// HTTPResponse is the response. Redirects are not followed.
type HTTPResponse struct {
	Status  int
	Headers map[string]string // names in lower case
	Body    string            // where it is UTF-8
	Base64  string            // the body in base64 where it is not
}

// Fetch makes the host send a request and waits for the response. An error means
// that there was none; a status of 400 and above is a response. Needs the capability
// "http".
func (r *Run) Fetch(q HTTPRequest) (HTTPResponse, error) {
	answer, err := r.host.call(opRequest, q.json())
	if err != nil {
		return HTTPResponse{}, err
	}
	handle, err := handleOf(opRequest, answer)
	if err != nil {
		return HTTPResponse{}, err
	}
	r.pump.wait(handle)
	m := object(nil)
	m.int("handle", int64(handle))
	answer, err = r.host.call(opResponse, m.end())
	closeHandle(handle)
	if err != nil {
		return HTTPResponse{}, err
	}
	return parseResponse(answer)
}

func (q HTTPRequest) json() []byte {
	m := object(nil)
	m.textOpt("method", q.Method)
	m.text("url", q.URL)
	m.mapOpt("headers", q.Headers)
	m.mapOpt("secret_headers", q.SecretHeaders)
	m.textOpt("body", q.Body)
	m.intOpt("max_bytes", q.MaxBytes)
	m.intOpt("millis", q.Millis)
	return m.end()
}

func parseResponse(data []byte) (HTTPResponse, error) {
	v, err := ParseValue(data)
	if err != nil {
		return HTTPResponse{}, errors.New("cannot " + opResponse + ": the host's response: " + err.Error())
	}
	return HTTPResponse{Status: int(v.Get("status").Int()), Headers: v.Get("headers").Map(), Body: v.Get("body").String(),
		Base64: v.Get("body_base64").String()}, nil
}
