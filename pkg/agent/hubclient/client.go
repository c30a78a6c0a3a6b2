package hubclient

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

// Options of Join and New. The zero value works.
type Options struct {
	// RootCAs that may sign the hub's certificate; nil = the system's. Pins narrow them.
	RootCAs *x509.CertPool
	// Name the agent would like at its join; the token decides.
	Name string
	// OldKey vouches for the new one when a cluster joins again.
	OldKey ed25519.PrivateKey
	// Session names this process to the hub; empty = a random one.
	Session string
	// Now is the local clock; nil = time.Now.
	Now func() time.Time
	// Silence is after how long without a line a stream is given up. 75 s.
	Silence time.Duration
	// Retry bounds the pause before the first and before later tries. 250 ms and 30 s.
	Retry, MaxRetry time.Duration
	// OnState hears when the stream is established and why it is not. It must not block.
	OnState func(State)
}

// State of the connection to the hub.
type State struct {
	Connected bool
	// Err says why not; a *protocol.Error when the hub refused.
	Err error
	// Until is when the next try is made.
	Until time.Time
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Session == "" {
		o.Session = rand.Text()
	}
	if o.Silence == 0 {
		o.Silence = protocol.StreamSilence
	}
	if o.Retry == 0 {
		o.Retry = 250 * time.Millisecond
	}
	if o.MaxRetry == 0 {
		o.MaxRetry = 30 * time.Second
	}
	if o.OnState == nil {
		o.OnState = func(State) {}
	}
	return o
}

// Bounds of what the hub answers, and of how long it may take.
const (
	maxAnswer      = 1 << 20
	maxItem        = 64 << 20
	requestTimeout = 60 * time.Second
)

// Client speaks for one identity. Its methods may be called concurrently.
type Client struct {
	opts  Options
	http  *http.Client
	clock *hubClock
	zstd  *zstd.Decoder

	mu sync.Mutex
	// id and key are guarded by mu.
	id  Identity
	key ed25519.PrivateKey
}

// New returns a client. It dials nothing yet.
func New(id Identity, o Options) (*Client, error) {
	key, err := id.PrivateKey()
	if err != nil {
		return nil, fmt.Errorf("identity of %s: %w", id, err)
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(maxItem))
	if err != nil {
		return nil, fmt.Errorf("make decoder: %w", err)
	}
	o = o.withDefaults()
	c := &Client{opts: o, id: id, key: key, zstd: decoder, clock: &hubClock{local: o.Now}}
	c.clock.least(id.Time)
	c.http = &http.Client{
		Transport:     newTransport(o, c.clock, func() []string { return c.Identity().pins() }),
		CheckRedirect: noRedirect,
	}
	return c, nil
}

// noRedirect: a request token is good for one hub only.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Identity returns the identity as it is now; store it after Adopt or Rotate changed it.
func (c *Client) Identity() Identity {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.id
}

// Session names this process to the hub; reports carry it.
func (c *Client) Session() string { return c.opts.Session }

// Now is the hub's time as far as the agent knows.
func (c *Client) Now() time.Time { return c.clock.Now() }

// ClockOffset is how far the hub's clock is ahead of the agent's.
func (c *Client) ClockOffset() time.Duration { return c.clock.Offset() }

// Adopt takes the trust and the time of a document that the agent obeys from
// now on, and returns the identity to store and whether it changed in more than time.
func (c *Client) Adopt(doc protocol.Document, h protocol.Header) (Identity, bool) {
	c.clock.least(h.Time)
	c.mu.Lock()
	defer c.mu.Unlock()
	changed := !sameTrust(c.id.Trust, doc.Trust)
	c.id.Trust = doc.Trust
	c.id.Time = max(c.id.Time, h.Time)
	return c.id, changed
}

func sameTrust(a, b protocol.TrustSet) bool {
	return strings.Join(a.HubKeys, " ") == strings.Join(b.HubKeys, " ") &&
		strings.Join(a.CAHashes, " ") == strings.Join(b.CAHashes, " ") && a.RecoveryKeyHash == b.RecoveryKeyHash
}

// Open verifies an envelope with what this agent trusts, and that it speaks to this cluster.
func (c *Client) Open(env protocol.Envelope) (protocol.Document, protocol.Header, error) {
	id := c.Identity()
	doc, h, err := protocol.Open(env, id.Trust)
	if err != nil {
		return doc, h, err
	}
	if h.Hub != id.HubID || h.Cluster != id.ClusterUID {
		return protocol.Document{}, protocol.Header{}, fmt.Errorf("document of revision %d is for cluster %s of hub %s, this is %s of %s",
			h.Revision, h.Cluster, h.Hub, id.ClusterUID, id.HubID)
	}
	return doc, h, nil
}

// Content fetches an item and checks that its bytes are those that id names.
func (c *Client) Content(ctx context.Context, id string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	resp, err := c.do(ctx, http.MethodGet, protocol.PathContent+id, nil, http.Header{"Accept-Encoding": {"zstd"}})
	if err != nil {
		return nil, fmt.Errorf("get content %s: %w", id, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxItem+1))
	if err != nil {
		return nil, fmt.Errorf("get content %s: %w", id, err)
	}
	if resp.Header.Get("Content-Encoding") == "zstd" {
		if data, err = c.zstd.DecodeAll(data, nil); err != nil {
			return nil, fmt.Errorf("get content %s: %w", id, err)
		}
	}
	if len(data) > maxItem || string(content.IDOf(data)) != id {
		return nil, fmt.Errorf("get content %s: %d bytes that are not what the id names", id, len(data))
	}
	return data, nil
}

// Report sends the agent's newest word. When it returns nil, the hub stored it.
func (c *Client) Report(ctx context.Context, r protocol.Report) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode report: %w", err)
	}
	return c.post(ctx, protocol.PathReport, body)
}

// Rotate announces the agent's next key and then uses it. Store Identity with
// NextKey before calling it and Identity() after: whichever the hub knows works.
func (c *Client) Rotate(ctx context.Context, next ed25519.PrivateKey) error {
	proof, err := protocol.ProveNextKey(next, c.Identity().ClusterUID)
	if err != nil {
		return err
	}
	body, err := json.Marshal(protocol.RotateRequest{
		Version: protocol.Version, PublicKey: protocol.EncodeKey(protocol.Public(next)), Proof: proof,
	})
	if err != nil {
		return fmt.Errorf("encode rotation: %w", err)
	}
	if err := c.post(ctx, protocol.PathRotate, body); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.key, c.id.Key, c.id.NextKey = next, protocol.EncodeSeed(next), ""
	return nil
}

func (c *Client) post(ctx context.Context, path string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	resp, err := c.do(ctx, http.MethodPost, path, body, http.Header{"Content-Type": {"application/json"}})
	if err != nil {
		return fmt.Errorf("post %s: %w", path, err)
	}
	defer resp.Body.Close()
	// Read to the end, so that the connection is used again.
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	return err
}

// do sends a signed request. Told that its token is outside its time, it takes
// the hub's and tries once more. An answer that is no success is an error.
func (c *Client) do(ctx context.Context, method, path string, body []byte, h http.Header) (*http.Response, error) {
	resp, err := c.send(ctx, method, path, body, h)
	var refused *protocol.Error
	if errors.As(err, &refused) && refused.Code == protocol.CodeExpired {
		return c.send(ctx, method, path, body, h)
	}
	return resp, err
}

func (c *Client) send(ctx context.Context, method, path string, body []byte, h http.Header) (*http.Response, error) {
	req, err := c.request(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	for name, values := range h {
		req.Header[name] = values
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	c.clock.learn(resp.Header)
	if resp.StatusCode/100 != 2 {
		defer resp.Body.Close()
		return nil, refusalOf(resp)
	}
	return resp, nil
}

// request makes a request with a token for it.
func (c *Client) request(ctx context.Context, method, path string, body []byte) (*http.Request, error) {
	c.mu.Lock()
	id, key := c.id, c.key
	c.mu.Unlock()
	req, err := http.NewRequestWithContext(ctx, method, address(id.HubURL, path), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	token, err := protocol.NewRequestToken(key, protocol.RequestClaims{
		Audience: id.HubID, Subject: id.Workspace + "/" + id.Cluster, Session: c.opts.Session,
		Method: method, Path: path, Body: protocol.BodyDigest(body), ID: rand.Text(),
	}, c.clock.Now())
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return req, nil
}

// address joins the hub's URL, which may have a path of its own, and a call's path.
func address(hub, path string) string { return strings.TrimRight(hub, "/") + path }

// refusalOf reads why the hub said no.
func refusalOf(resp *http.Response) error {
	refused := &Refused{Status: resp.StatusCode}
	data, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil || json.Unmarshal(data, &refused.Reason) != nil || refused.Reason.Code == "" {
		// Something between agent and hub answered.
		refused.Reason = protocol.Error{Code: protocol.CodeBusy, Message: "HTTP status " + resp.Status}
	}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds >= 0 {
		refused.RetryAfter = time.Duration(min(seconds, 600)) * time.Second
	}
	return refused
}

// Refused is an answer of the hub that is no success. errors.As finds the *protocol.Error in it.
type Refused struct {
	Status     int
	Reason     protocol.Error
	RetryAfter time.Duration
}

func (r *Refused) Error() string { return r.Reason.Error() }

// Unwrap gives the reason.
func (r *Refused) Unwrap() error { return &r.Reason }
