package peerlink

import (
	"context"
	"fmt"
	"net/netip"
	"reflect"
	"sync"

	"github.com/peerlink/peerlink/core/internal/wire"
)

// Caller is who called, as a handler sees it.
type Caller struct {
	Name  string         // what it calls itself; of a 1.x node that is a claim, not proof
	Named bool           // false if the request named nobody
	Addr  netip.AddrPort // where the request came from
	Peer  *Peer          // nil if it is no known peer's

	// Authenticated says that the caller has proved that it has our secret.
	Authenticated bool
	// Fingerprint is that of the caller's key; zero for a 1.x node.
	Fingerprint Fingerprint
}

type callerKey struct{}

// CallerFrom returns who made the request that the handler with this context
// serves.
func CallerFrom(ctx context.Context) (Caller, bool) {
	if c, ok := ctx.Value(callerKey{}).(*Caller); ok && c != nil {
		return *c, true
	}
	return Caller{}, false
}

// A RawHandler serves a call without decoding it; see Node.HandleRaw.
type RawHandler func(ctx context.Context, req Payload) (Payload, error)

// handler is one of the two.
type handler struct {
	name   string
	raw    RawHandler
	async  func(*Request)
	copies bool // raw keeps nothing of its Payload: it decodes it
	quick  pace
}

// handlers are the functions that peers can call.
type handlers struct {
	mu     sync.RWMutex
	byName map[string]*handler
}

func (h *handlers) get(name []byte) (*handler, bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	fn, ok := h.byName[string(name)]
	return fn, ok
}

func (h *handlers) set(name string, fn *handler) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.byName == nil {
		h.byName = make(map[string]*handler)
	}
	h.byName[name] = fn
}

func (h *handlers) remove(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.byName, name)
}

// HandleRaw registers fn under name, in place of any before. fn gets the arguments
// as they came, and may be called by several peers at once. It may block; one that
// does not is soon run by the goroutine that reads the socket, which saves most of the
// time of a call. Its context ends when the caller gives up or its time is over, and
// when the node closes.
//
// To choose the type of the error the caller sees, fn returns a *RemoteError.
func (n *Node) HandleRaw(name string, fn RawHandler) error {
	return n.handle(name, &handler{raw: fn})
}

// HandleAsync registers fn under name, in place of any before. fn is called on the
// goroutine that reads the node's socket, which may be one in the midst of a Call: it
// must return at once, take no lock that is held around a Call, and have the request
// answered from elsewhere. The bindings use it; see Handle for all else.
func (n *Node) HandleAsync(name string, fn func(*Request)) error {
	return n.handle(name, &handler{async: fn})
}

func (n *Node) handle(name string, h *handler) error {
	if name == "" || (h.raw == nil && h.async == nil) {
		return &Error{Code: CodeInvalid, Op: "handle " + name, Err: fmt.Errorf("a name and a function are needed")}
	}
	h.name = name
	n.handlers.set(name, h)
	return nil
}

// Unhandle removes what is registered under name.
func (n *Node) Unhandle(name string) { n.handlers.remove(name) }

// Handle registers fn under name: any func([context.Context,] args...) ([result,]
// [error]). It fails if fn has another shape. A RawHandler is registered as with
// HandleRaw, and a func(*Request) as with HandleAsync.
//
// Arguments come by position. Keyword arguments fill the fields of a struct that is
// the only parameter, or go into a last parameter of type Kwargs. A caller whose
// arguments do not fit gets a RemoteError of type "TypeError".
func (n *Node) Handle(name string, fn any) error {
	switch fn := fn.(type) {
	case RawHandler:
		return n.HandleRaw(name, fn)
	case func(context.Context, Payload) (Payload, error):
		return n.HandleRaw(name, fn)
	case func(*Request):
		return n.HandleAsync(name, fn)
	}
	f, err := newFunction(name, fn)
	if err != nil {
		return &Error{Code: CodeInvalid, Op: "handle " + name, Err: err}
	}
	return n.handle(name, &handler{raw: f.call, copies: true})
}

var (
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
	kwargsType  = reflect.TypeFor[Kwargs]()
)

// function is a Go func that peers can call.
type function struct {
	name       string
	fn         reflect.Value
	params     []reflect.Type // without the context and the keywords
	wantsCtx   bool
	wantsKw    bool // the last parameter is Kwargs
	variadic   bool
	hasResult  bool
	returnsErr bool
}

func newFunction(name string, fn any) (*function, error) {
	v := reflect.ValueOf(fn)
	if !v.IsValid() || v.Kind() != reflect.Func || v.IsNil() {
		return nil, fmt.Errorf("%T is no function", fn)
	}
	t := v.Type()
	f := &function{name: name, fn: v, variadic: t.IsVariadic()}
	for i := range t.NumIn() {
		f.params = append(f.params, t.In(i))
	}
	if len(f.params) > 0 && f.params[0] == contextType {
		f.wantsCtx, f.params = true, f.params[1:]
	}
	if k := len(f.params); k > 0 && f.params[k-1] == kwargsType {
		f.wantsKw, f.params = true, f.params[:k-1]
	}
	return f, f.checkResults(t)
}

func (f *function) checkResults(t reflect.Type) error {
	k := t.NumOut()
	if k > 0 && t.Out(k-1) == errorType {
		f.returnsErr = true
		k--
	}
	f.hasResult = k == 1
	if k > 1 {
		return fmt.Errorf("%v returns more than a result and an error", t)
	}
	return nil
}

// call is a RawHandler.
func (f *function) call(ctx context.Context, req Payload) (Payload, error) {
	in, err := f.decode(req)
	if err != nil {
		return Payload{}, &RemoteError{Type: "TypeError", Message: f.name + "() " + err.Error()}
	}
	if f.wantsCtx {
		in = append([]reflect.Value{reflect.ValueOf(ctx)}, in...)
	}
	out := f.fn.Call(in)
	if f.returnsErr {
		if err, _ := out[len(out)-1].Interface().(error); err != nil {
			return Payload{}, err
		}
	}
	if !f.hasResult {
		return Payload{}, nil
	}
	b, err := wire.Marshal(out[0].Interface())
	if err != nil {
		return Payload{}, &RemoteError{Type: "TypeError", Message: err.Error()}
	}
	return Payload{Codec: CBOR, Bytes: b}, nil
}

// decode turns the arguments of a request into the parameters of f.
func (f *function) decode(req Payload) ([]reflect.Value, error) {
	req, err := req.Convert(CBOR)
	if err != nil {
		return nil, rootCause(err)
	}
	rawArgs, rawKw, err := req.arguments()
	if err != nil {
		return nil, err
	}
	if len(rawKw) == 1 { // an empty map
		rawKw = nil
	}
	args, err := wire.Elements(rawArgs)
	if err != nil {
		return nil, err
	}
	if f.fillsStruct(args, rawKw) {
		v := reflect.New(f.params[0])
		err := wire.UnmarshalKnown(rawKw, v.Interface())
		return []reflect.Value{v.Elem()}, err
	}
	in, err := f.decodePositional(args)
	if err != nil {
		return nil, err
	}
	return f.appendKeywords(in, rawKw)
}

// fillsStruct tells a call by keyword of a function with one struct parameter.
func (f *function) fillsStruct(args [][]byte, rawKw []byte) bool {
	if len(args) > 0 || rawKw == nil || len(f.params) != 1 || f.wantsKw {
		return false
	}
	t := f.params[0]
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct
}

func (f *function) decodePositional(args [][]byte) ([]reflect.Value, error) {
	if err := f.checkCount(len(args)); err != nil {
		return nil, err
	}
	in := make([]reflect.Value, len(args), len(args)+2)
	for i, raw := range args {
		v, err := decodeAs(raw, f.paramAt(i))
		if err != nil {
			return nil, fmt.Errorf("argument %d: %w", i+1, err)
		}
		in[i] = v
	}
	return in, nil
}

func (f *function) checkCount(given int) error {
	want := len(f.params)
	switch {
	case f.variadic && given < want-1:
		return fmt.Errorf("takes at least %s, %d given", counted(want-1), given)
	case !f.variadic && given != want:
		return fmt.Errorf("takes %s, %d given", counted(want), given)
	default:
		return nil
	}
}

func counted(arguments int) string {
	if arguments == 1 {
		return "1 argument"
	}
	return fmt.Sprint(arguments, " arguments")
}

func (f *function) paramAt(i int) reflect.Type {
	if last := len(f.params) - 1; f.variadic && i >= last {
		return f.params[last].Elem()
	}
	return f.params[i]
}

func (f *function) appendKeywords(in []reflect.Value, rawKw []byte) ([]reflect.Value, error) {
	switch {
	case !f.wantsKw && rawKw != nil:
		return nil, fmt.Errorf("takes no keyword arguments")
	case !f.wantsKw:
		return in, nil
	case rawKw == nil:
		return append(in, reflect.ValueOf(Kwargs{})), nil
	}
	v, err := decodeAs(rawKw, kwargsType)
	return append(in, v), err
}

func decodeAs(raw []byte, t reflect.Type) (reflect.Value, error) {
	v := reflect.New(t)
	err := wire.Unmarshal(raw, v.Interface())
	return v.Elem(), err
}
