package session

import (
	"testing"

	"github.com/wirecall/wirecall/internal/fault"
)

// When no session is detached the registry counts nothing, whatever was added to them
// while they were, and whether they were resumed or have ended.
func TestRegistryCountsNothingAfterAll(t *testing.T) {
	for name, over := range map[string]func(s *Session) error{
		"resumed": func(s *Session) error { return s.resumption.Load().attach(&cuttable{}, &resumeParams{}, nil) },
		"ended":   func(s *Session) error { s.End(fault.ErrClosed); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			reg := testRegistry()
			s := detachedSession(reg)
			s.resumption.Load().principal = "ann"
			reg.addDetached(s)
			if reg.bytes == 0 || len(reg.perPrincipal) != 1 {
				t.Fatalf("the session is not counted: %d bytes, of %v", reg.bytes, reg.perPrincipal)
			}
			reg.addBytes(s, 1000)
			if err := over(s); err != nil {
				t.Fatal(err)
			}
			if reg.bytes != 0 || len(reg.perPrincipal) != 0 || len(reg.elements) != 0 || reg.detached.Len() != 0 {
				t.Errorf("%d bytes, of %v, %d sessions", reg.bytes, reg.perPrincipal, len(reg.elements))
			}
			s.End(fault.ErrClosed)
			if len(reg.byID) != 0 {
				t.Errorf("%d sessions can be resumed that have ended", len(reg.byID))
			}
		})
	}
}
