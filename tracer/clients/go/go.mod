module github.com/hangdog-rs/hangdog/tracer/clients/go

go 1.19
