package hangdog

// Field is something that a phase says of itself.
type Field struct {
	key   string
	value any
}

// Wait is the resource that a phase waits for, such as "http:127.0.0.1:8080", "lock:cache" or "path:/mnt/x".
func Wait(resource string) Field { return Field{"hang.wait", resource} }

// Hold is the resource that is held while the phase is open.
func Hold(resource string) Field { return Field{"hang.hold", resource} }

// Serve is the resource that it serves.
func Serve(resource string) Field { return Field{"hang.serve", resource} }

// Op is the key of an operation that should run once at a time.
func Op(key string) Field { return Field{"hang.op", key} }

// Link joins a client's phase to its server's: a W3C traceparent, or "client>server" addresses.
func Link(link string) Field { return Field{"hang.link", link} }

// With is any other field; "hang.entity" and "hang.deadline_ms" mean something to hangdog, too.
func With(key string, value any) Field { return Field{key, value} }
