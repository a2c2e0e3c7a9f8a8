package docs_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/synctest"

	"github.com/wirecall/wirecall/example/files"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// upload puts a file. After an error it continues at the size that the server has, and
// returns the error of an attempt that has made no progress.
func upload(ctx context.Context, store files.Store, name string, file io.ReaderAt, size int64) error {
	for at, last := int64(0), int64(-1); ; {
		_, err := store.Put(ctx, name, at, rpc.FromReader(io.NewSectionReader(file, at, size-at)))
		if err == nil || ctx.Err() != nil || at == last {
			return err
		}
		last = at
		at, err = store.Stat(ctx, name)
		if _, missing := errors.AsType[*files.NotFound](err); err != nil && !missing {
			return err
		}
	}
}

func download(ctx context.Context, store files.Store, name string, w io.Writer) error {
	chunks, err := store.Get(ctx, name, 0)
	if err != nil {
		return err
	}
	for chunk, err := range chunks {
		if err != nil {
			return err
		}
		if _, err := w.Write(chunk.Data); err != nil {
			return err // leaving the loop ends the stream
		}
	}
	return nil
}

// archive puts a compressed archive of dir, which is in memory at no time.
func archive(ctx context.Context, store files.Store, name string, dir fs.FS) (size int64, err error) {
	return store.Put(ctx, name, 0, rpc.FromWriter(func(w io.Writer) error {
		z := gzip.NewWriter(w)
		t := tar.NewWriter(z)
		return errors.Join(t.AddFS(dir), t.Close(), z.Close())
	}))
}

// extract returns what a handler that takes an archive does: it reads the stream.
func extract(content iter.Seq2[[]byte, error]) (names []string, err error) {
	r := rpc.ToReader(content)
	defer r.Close()
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if err == io.EOF {
			return names, nil
		}
		if err != nil {
			return nil, err
		}
		names = append(names, h.Name)
	}
}

// quota is a StreamInterceptor that ends a stream of bytes that is received behind
// limit of them.
func quota(limit int) rpc.StreamInterceptor {
	return func(ctx context.Context, s *rpc.StreamInfo) func(item any) error {
		if s.Sent {
			return nil
		}
		left := limit
		return func(item any) error {
			data, ok := item.(*[]byte)
			if !ok {
				return nil
			}
			if left -= len(*data); left < 0 {
				return rpc.Errorf(rpc.CodeTooLarge, "%s takes %d bytes", s.Call.Method.Name, limit)
			}
			return nil
		}
	}
}

// A cutter cuts a network, once, when a file has been read, or written, up to a byte.
// It may be read by an upload that is being given up and by the next one at once.
type cutter struct {
	network *rpctest.Network
	at      int64
	cut     atomic.Bool
	bytes.Buffer
	content []byte
}

func (c *cutter) ReadAt(p []byte, off int64) (int, error) {
	if c.at > 0 && off >= c.at && !c.cut.Swap(true) {
		c.network.Cut()
	}
	return bytes.NewReader(c.content).ReadAt(p, off)
}

func (c *cutter) Write(p []byte) (int, error) {
	if c.at > 0 && int64(c.Len()) >= c.at && !c.cut.Swap(true) {
		c.network.Cut()
	}
	return c.Buffer.Write(p)
}

// A file arrives whole over connections that are cut in both directions, without
// sessions.
func TestUploadAndDownload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := rpc.NewServer(nil)
		srv.Register(files.StoreService(&files.Memory{}))
		network := &rpctest.Network{}
		web := &http.Server{Handler: srv}
		go web.Serve(network.Listen())
		defer web.Close()
		defer srv.Close()
		conn, err := rpc.Dial(t.Context(), "ws://any", &rpc.DialOptions{NetDial: network.Dial})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		store := files.NewStoreClient(conn)

		file, ctx := strings.NewReader("a report"), t.Context()
		size, err := store.Put(ctx, "report.pdf", 0, rpc.FromReader(file))
		if err != nil || size != 8 {
			t.Errorf("%d bytes, %v", size, err)
		}
		content := bytes.Repeat([]byte("0123456789"), 100_000)
		up := &cutter{network: network, at: 300_000, content: content}
		if err := upload(t.Context(), store, "digits", up, int64(len(content))); err != nil {
			t.Fatal(err)
		}
		down := &cutter{network: network, at: 300_000}
		if err := download(t.Context(), store, "digits", down); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(down.Bytes(), content) {
			t.Errorf("%d bytes of %d", down.Len(), len(content))
		}
		if cuts := network.Stats().Cuts; cuts != 2 {
			t.Errorf("%d cuts", cuts)
		}
		dir := fstest.MapFS{"a.txt": {Data: []byte("one")}, "b/c.txt": {Data: content}}
		if _, err := archive(t.Context(), store, "dir.tar.gz", dir); err != nil {
			t.Fatal(err)
		}
		var packed bytes.Buffer
		if err := download(t.Context(), store, "dir.tar.gz", &packed); err != nil {
			t.Fatal(err)
		}
		if names, err := extract(rpc.FromReader(&packed)); err != nil || !slices.Contains(names, "b/c.txt") {
			t.Errorf("the archive has %v, %v", names, err)
		}
		if err := upload(t.Context(), store, "none", &failing{}, 1); err == nil {
			t.Error("a file that cannot be read was put")
		}
	})
}

// failing cannot be read.
type failing struct{}

func (*failing) ReadAt([]byte, int64) (int, error) { return 0, errors.New("the disk has failed") }

// An upload over the quota fails with the interceptor's error; what is sent is not
// counted.
func TestQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := rpc.NewServer(&rpc.ServerOptions{StreamInterceptors: []rpc.StreamInterceptor{quota(100)}})
		srv.Register(files.StoreService(&files.Memory{}))
		store := files.NewStoreClient(rpctest.Pair(t.Context(), t, srv, nil))
		piece := make([]byte, 60)
		if _, err := store.Put(t.Context(), "a", 0, rpc.Of(piece)); err != nil {
			t.Error(err)
		}
		if _, err := store.Put(t.Context(), "a", 60, rpc.Of(piece)); err != nil {
			t.Error(err)
		}
		_, err := store.Put(t.Context(), "b", 0, rpc.Of(piece, piece))
		if !errors.Is(err, rpc.CodeTooLarge) || err.Error() != "Store.Put takes 100 bytes" {
			t.Error(err)
		}
		var b bytes.Buffer
		if err := download(t.Context(), store, "a", &b); err != nil || b.Len() != 120 {
			t.Errorf("%d bytes, %v", b.Len(), err)
		}
	})
}
