package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/protocol"
)

// caller is who an authenticated request comes from. Nothing else in a request says so.
type caller struct {
	*member
	key     agentKey
	session string
	body    []byte
}

// bodyDeadline bounds how long an agent may take to send a body.
const bodyDeadline = 30 * time.Second

// authenticate proves who sent a request and reads its body.
func (g *Gateway) authenticate(w http.ResponseWriter, r *http.Request, maxBody int64) (*caller, error) {
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return nil, refuse(protocol.CodeUnauthorized, "", "the request carries no token")
	}
	token, err := protocol.ParseRequestToken(text)
	if err != nil {
		return nil, refuse(protocol.CodeUnauthorized, "", "the request token cannot be read")
	}
	c, err := g.identify(r, token)
	if err != nil {
		return nil, err
	}
	now := g.opts.Now()
	if err := mayCall(c, r.URL.Path, now); err != nil {
		return nil, err
	}
	switch g.replays.use(token.KeyID, token.Claims.ID, now) {
	case replayed:
		return nil, refuse(protocol.CodeUnauthorized, "", "the request token was used before")
	case memoryFull:
		return nil, refuse(protocol.CodeBusy, "", "too many requests at once").after(time.Minute)
	}
	if c.body, err = readBody(w, r, maxBody); err != nil {
		return nil, err
	}
	if err := token.CheckBody(c.body); err != nil {
		return nil, refuse(protocol.CodeUnauthorized, "", "the body is not the one that was signed")
	}
	return c, g.admit(c, now)
}

// mayCall judges the key's state: a replaced key may do nothing but announce another.
func mayCall(c *caller, path string, now time.Time) error {
	if c.quarantined != "" {
		return quarantine(c.quarantined)
	}
	if c.key.state != keyPrevious {
		return nil
	}
	if path == protocol.PathRotate && now.Before(c.key.since.Add(protocol.PreviousKeyValid)) {
		return nil
	}
	return refuse(protocol.CodeUnauthorized, "use the cluster's newest key", "this key was replaced")
}

func quarantine(why string) *refusal {
	return refuse(protocol.CodeQuarantined, "an operator must run muster cluster reset for one of them", "%s", why)
}

const twoAgents = "two agents use this identity at the same time"

// admit watches for two live processes with one identity.
func (g *Gateway) admit(c *caller, now time.Time) error {
	if c.session != "" && g.sessions.observe(c.name, c.session, now) {
		g.presence.quarantine(c.name, twoAgents)
		return quarantine(twoAgents)
	}
	if c.key.state == keyNext {
		g.presence.promote(c.name, c.key.id)
	}
	return nil
}

// identify finds the cluster whose key signed the token.
func (g *Gateway) identify(r *http.Request, token *protocol.RequestToken) (*caller, error) {
	found := g.index.find(token.KeyID)
	if len(found) == 0 {
		var err error
		if found, err = g.findUnknown(r.Context(), token); err != nil {
			return nil, err
		}
	}
	if len(found) > 1 {
		return nil, refuse(protocol.CodeConflict, "reset one of them", "several clusters carry this key")
	}
	if len(found) == 0 {
		return nil, revoked()
	}
	m := found[0]
	key, _ := m.key(token.KeyID)
	err := token.Verify(key.public, g.key.ID(), r.Method, r.URL.RequestURI(), g.opts.Now())
	switch {
	case errors.Is(err, protocol.ErrExpired):
		return nil, refuse(protocol.CodeExpired, "take the time from this answer's Date", "the request token is outside its time")
	case err != nil:
		return nil, refuse(protocol.CodeUnauthorized, "", "the request token does not prove its key for this request")
	}
	return &caller{member: m, key: key, session: token.Claims.Session}, nil
}

func revoked() *refusal {
	return refuse(protocol.CodeRevoked, "join again with a new token", "no cluster of this hub has this key")
}

// findUnknown reads the cluster that the token points at: a cache that is
// behind must never say revoked.
func (g *Gateway) findUnknown(ctx context.Context, token *protocol.RequestToken) ([]*member, error) {
	if !g.unknown.Allow() {
		return nil, refuse(protocol.CodeBusy, "", "too many unknown agents at once").after(jitter(5 * time.Second))
	}
	m, err := g.readMember(ctx, token.Claims.Subject)
	if err != nil {
		return nil, err
	}
	if m != nil {
		if _, ok := m.key(token.KeyID); ok {
			return []*member{m}, nil
		}
	}
	return nil, nil
}

// readMember reads the cluster that a token's subject names, live. The
// subject is only where to look: the key found there must verify the token.
func (g *Gateway) readMember(ctx context.Context, subject string) (*member, error) {
	workspace, cluster, _ := strings.Cut(subject, "/")
	name := client.ObjectKey{Namespace: workspace, Name: cluster}
	if !isObjectName(name) {
		return nil, nil
	}
	var found v1alpha1.Cluster
	err := g.live.Get(ctx, name, &found)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, broken(err)
	}
	return newMember(&found), nil
}

// readBody reads at most max bytes within bodyDeadline.
func readBody(w http.ResponseWriter, r *http.Request, max int64) ([]byte, error) {
	if max == 0 {
		return nil, nil
	}
	// Not every ResponseWriter has deadlines (tests); the server's own bound holds then.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyDeadline))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, max))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, refuse(protocol.CodeTooLarge, "", "the body is longer than %d bytes", max)
	case err != nil:
		return nil, refuse(protocol.CodeInvalid, "", "the body could not be read")
	}
	return body, nil
}
