module github.com/wirecall/wirecall/internal/browser

go 1.26.0

require (
	github.com/chromedp/cdproto v0.159.0
	github.com/chromedp/chromedp v0.23.0
	github.com/coder/websocket v1.8.15
	github.com/evanw/esbuild v0.28.2
	github.com/tetratelabs/wazero v1.12.0
	github.com/wirecall/wirecall v0.0.0
	github.com/wirecall/wirecall/example/arena v0.0.0
)

require (
	github.com/HdrHistogram/hdrhistogram-go v1.4.0 // indirect
	github.com/dave/jennifer v1.7.1 // indirect
	github.com/fxamacker/cbor/v2 v2.9.6 // indirect
	github.com/go-json-experiment/json v0.0.0-20260213210345-44df1a37e875 // indirect
	github.com/rogpeppe/go-internal v1.16.0 // indirect
	github.com/urfave/cli/v3 v3.14.0 // indirect
	github.com/x448/float16 v0.8.4 // indirect
	golang.org/x/mod v0.42.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/tools v0.52.0 // indirect
)

replace (
	github.com/wirecall/wirecall => ../..
	github.com/wirecall/wirecall/cluster => ../../cluster
	github.com/wirecall/wirecall/example/arena => ../../example/arena
	github.com/wirecall/wirecall/internal/embedded => ../embedded
)

tool github.com/wirecall/wirecall/cmd/wirecall
