package docs_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/wirecall/wirecall/example/files"
	"github.com/wirecall/wirecall/rpc"
)

// clientFor returns a client that trusts an authority, and shows a certificate of
// its own where a server asks for one.
func clientFor(authority *x509.CertPool, own ...tls.Certificate) *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{RootCAs: authority, Certificates: own}
	return &http.Client{Transport: t}
}

// A server that wants certificates of a private authority knows who has connected,
// and refuses those without one.
func TestClientCertificates(t *testing.T) {
	ca := newAuthority(t)
	authority, certificate := ca.pool, ca.issue(t, "localhost")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	srv := rpc.NewServer(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{
		Principal: func(ctx context.Context) string { return userOf(ctx).Name },
	}})
	defer srv.Close()
	srv.Register(rpc.Service{Methods: []*rpc.Method{{
		Name: "WhoAmI",
		New:  func() (any, any) { return nil, new(string) },
		Serve: func(ctx context.Context, _ any, c *rpc.Call) error {
			*c.Result.(*string) = userOf(ctx).Name
			return nil
		},
	}}})
	named := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := User{Name: r.TLS.VerifiedChains[0][0].Subject.CommonName}
		srv.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, who)))
	})
	serverTLS := &tls.Config{
		Certificates: []tls.Certificate{certificate},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    authority,
	}
	web := &http.Server{Handler: named, TLSConfig: serverTLS, ReadHeaderTimeout: 10 * time.Second}
	defer web.Close()
	go web.ServeTLS(ln, "", "")

	ctx := t.Context()
	client := clientFor(authority, ca.issue(t, "ann"))
	conn, err := rpc.Dial(ctx, "wss://"+ln.Addr().String(), &rpc.DialOptions{HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var who string
	if err := conn.Call(ctx, &rpc.Call{Method: &rpc.Method{Name: "WhoAmI"}, Result: &who}); err != nil || who != "ann" {
		t.Errorf("%q, %v", who, err)
	}
	for name, client := range map[string]*http.Client{
		"no certificate":    clientFor(authority),
		"another authority": clientFor(newAuthority(t).pool, ca.issue(t, "ann")),
	} {
		if _, err := rpc.Dial(ctx, "wss://"+ln.Addr().String(), &rpc.DialOptions{HTTPClient: client}); err == nil {
			t.Error(name, "was accepted")
		}
	}
}

// An issuer is a private authority.
type issuer struct {
	pool *x509.CertPool
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *issuer {
	t.Helper()
	ca := &issuer{pool: x509.NewCertPool(), key: newKey(t)}
	ca.cert = ca.sign(t, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, ca.key)
	ca.pool.AddCert(ca.cert)
	return ca
}

// issue returns a certificate of a name, for 127.0.0.1 and for clients.
func (ca *issuer) issue(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key := newKey(t)
	cert := ca.sign(t, &x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, key)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

// sign signs a certificate of key, by itself as long as there is none.
func (ca *issuer) sign(t *testing.T, c *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	parent := ca.cert
	if parent == nil {
		parent = c
	}
	c.SerialNumber, c.NotAfter = big.NewInt(1), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Lines over TLS are a listener and a dial function of crypto/tls.
func TestLinesOverTLS(t *testing.T) {
	ca := newAuthority(t)
	serverTLS := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "localhost")}}
	srv := rpc.NewServer(nil)
	defer srv.Close()
	srv.Register(files.StoreService(&files.Memory{}))

	ln, err := tls.Listen("tcp", "127.0.0.1:0", serverTLS)
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(t.Context(), ln)

	ctx := t.Context()
	dialer := &tls.Dialer{Config: &tls.Config{RootCAs: ca.pool}}
	conn, err := rpc.Dial(ctx, "tcp://"+ln.Addr().String(), &rpc.DialOptions{NetDial: dialer.DialContext})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = files.NewStoreClient(conn).Stat(ctx, "none")
	if _, ok := errors.AsType[*files.NotFound](err); !ok {
		t.Error(err)
	}
	stranger := &tls.Dialer{}
	if _, err := rpc.Dial(ctx, "tcp://"+ln.Addr().String(), &rpc.DialOptions{NetDial: stranger.DialContext}); err == nil {
		t.Error("a server of an unknown authority was believed")
	}
}
