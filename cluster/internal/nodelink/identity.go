package nodelink

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
)

// An Identity is what all nodes of a cluster have in common: a key pair. Each end of a
// link proves by it, in TLS 1.3, that it is a node.
type Identity struct{ certificate tls.Certificate }

// NewIdentity returns the identity of a seed of 32 bytes.
func NewIdentity(seed []byte) (*Identity, error) {
	private := ed25519.NewKeyFromSeed(seed)
	template := &x509.Certificate{SerialNumber: big.NewInt(1)} // the key alone is looked at
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, err
	}
	return &Identity{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}}, nil
}

// ErrStranger is the error, or is wrapped by the error, of a link whose other end has
// another secret.
var ErrStranger = errors.New("the other end is no node of this cluster")

// Client returns the dialing end of a link to a service, named by a node and a service,
// when the other has proved that it is a node. If it fails, the link is closed.
func (id *Identity) Client(ctx context.Context, c net.Conn, service string) (net.Conn, error) {
	return handshake(ctx, tls.Client(whole{c}, id.config(service)))
}

// Server returns the accepting end of a link to a service.
func (id *Identity) Server(ctx context.Context, c net.Conn, service string) (net.Conn, error) {
	return handshake(ctx, tls.Server(whole{c}, id.config(service)))
}

func (id *Identity) config(service string) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		Certificates:           []tls.Certificate{id.certificate},
		ClientAuth:             tls.RequireAnyClientCert,
		ServerName:             service,
		InsecureSkipVerify:     true, // verify does, as there is no authority
		SessionTicketsDisabled: true,
		VerifyConnection:       func(s tls.ConnectionState) error { return id.verify(s, service) },
	}
}

// verify checks that the peer has this identity and means the same service.
func (id *Identity) verify(s tls.ConnectionState, service string) error {
	key, ok := s.PeerCertificates[0].PublicKey.(ed25519.PublicKey)
	if !ok || !key.Equal(id.certificate.PrivateKey.(ed25519.PrivateKey).Public()) {
		return ErrStranger
	}
	if s.ServerName != service {
		return fmt.Errorf("a link to %q at %q", s.ServerName, service)
	}
	return nil
}

// whole is a connection that does not end as long as TLS has not said so, which package tls
// accepts between two records.
type whole struct{ net.Conn }

var errShort = errors.New("the link was cut off")

func (c whole) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == io.EOF {
		err = errShort
	}
	return n, err
}

func handshake(ctx context.Context, c *tls.Conn) (net.Conn, error) {
	err := c.HandshakeContext(ctx)
	if err == nil {
		return c, nil
	}
	c.NetConn().Close()
	if refused, ok := errors.AsType[*net.OpError](err); ok && refused.Op == "remote error" { // an alert
		err = fmt.Errorf("%w: %w", ErrStranger, err)
	}
	return nil, err
}
