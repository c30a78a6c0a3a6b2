package receiver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"k8s.io/utils/clock"
)

// Lookup finds who listens to an id; false means nobody. It is called for every request, so it must be cheap.
type Lookup func(id string) (Target, bool)

// Trigger asks for a poll of the repository with this key, soon. It must not block.
type Trigger func(key string)

// Options are the bounds of a handler. The zero value of each field means its default.
type Options struct {
	// MaxBody caps a delivery, 1 MiB by default. ReadTimeout ends the reading of one, 10 s by default.
	MaxBody     int64
	ReadTimeout time.Duration
	// Burst polls of one repository may follow each other at once, 20 by default; then one every Refill, 5 s by default.
	Burst  int
	Refill time.Duration
	// ReplayWindow is how long a delivery's id is remembered, 10 min by default. MaxDeliveries caps how many ids are,
	// 10,000 by default.
	ReplayWindow  time.Duration
	MaxDeliveries int
	// Providers are asked in order before the built-in ones: GitHub's form, then the generic one.
	Providers []Provider
	// Clock is the system's by default.
	Clock clock.WithDelayedExecution
}

func (o Options) withDefaults() Options {
	if o.MaxBody <= 0 {
		o.MaxBody = 1 << 20
	}
	if o.ReadTimeout <= 0 {
		o.ReadTimeout = 10 * time.Second
	}
	if o.Burst <= 0 {
		o.Burst = 20
	}
	if o.Refill <= 0 {
		o.Refill = 5 * time.Second
	}
	if o.ReplayWindow <= 0 {
		o.ReplayWindow = 10 * time.Minute
	}
	if o.MaxDeliveries <= 0 {
		o.MaxDeliveries = 10_000
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	o.Providers = append(append([]Provider(nil), o.Providers...), gitHub{}, generic{})
	return o
}

// Answer is the body of every answer.
type Answer struct {
	// Triggered tells whether this delivery made the repository be polled now.
	Triggered bool `json:"triggered"`
	// Repository is the key of the target, only told to who proved to know its secret.
	Repository string `json:"repository,omitempty"`
	// Reason says why nothing was triggered.
	Reason string `json:"reason,omitempty"`
}

type handler struct {
	lookup   Lookup
	opts     Options
	throttle *throttle
	replays  *replays
}

// NewHandler serves POST /hooks/{id}. 202 is everything that needs no retry, 401 a missing or wrong signature, 404 an
// unknown id or a push that is not followed, 413 a body that is too large, 400 one that cannot be read.
func NewHandler(lookup Lookup, trigger Trigger, opts Options) http.Handler {
	opts = opts.withDefaults()
	return &handler{
		lookup: lookup, opts: opts,
		throttle: &throttle{clock: opts.Clock, trigger: trigger, refill: opts.Refill, burst: opts.Burst, buckets: map[string]*bucket{}},
		replays:  &replays{keep: opts.ReplayWindow, most: opts.MaxDeliveries, seen: map[string]time.Time{}},
	}
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, answer := h.serve(w, r)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", http.MethodPost)
	}
	w.WriteHeader(status)
	// The sender may be gone; the poll does not depend on it.
	_ = json.NewEncoder(w).Encode(answer)
}

// serve goes through a delivery in an order that gives a stranger nothing: the path first, then size, then signature,
// and only then a look at what is inside.
func (h *handler) serve(w http.ResponseWriter, r *http.Request) (int, Answer) {
	id, ok := idOf(r.URL.Path)
	if !ok {
		return refuse(http.StatusNotFound, "unknown webhook")
	}
	if r.Method != http.MethodPost {
		return refuse(http.StatusMethodNotAllowed, "use POST")
	}
	target, ok := h.lookup(id)
	if !ok {
		return refuse(http.StatusNotFound, "unknown webhook")
	}
	body, status, err := h.read(w, r)
	if err != nil {
		return refuse(status, err.Error())
	}
	provider := h.provider(r.Header)
	if len(target.Secret) == 0 || provider.Verify(r.Header, body, target.Secret) != nil {
		return refuse(http.StatusUnauthorized, errSignature.Error())
	}
	return h.accept(id, target, provider, r.Header, body)
}

func refuse(status int, reason string) (int, Answer) { return status, Answer{Reason: reason} }

// read takes the whole body, bounded in bytes and time.
func (h *handler) read(w http.ResponseWriter, r *http.Request) (body []byte, status int, err error) {
	deadline := h.opts.Clock.Now().Add(h.opts.ReadTimeout)
	if err := http.NewResponseController(w).SetReadDeadline(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, http.StatusBadRequest, errors.New("the connection cannot be read")
	}
	body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, h.opts.MaxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, http.StatusRequestEntityTooLarge, fmt.Errorf("the body is larger than %d bytes", h.opts.MaxBody)
	case err != nil:
		return nil, http.StatusBadRequest, errors.New("the body did not arrive whole")
	}
	return body, 0, nil
}

func (h *handler) provider(header http.Header) Provider {
	for _, p := range h.opts.Providers {
		if p.Matches(header) {
			return p
		}
	}
	return generic{}
}

// accept handles a genuine delivery.
func (h *handler) accept(id string, target Target, provider Provider, header http.Header, body []byte) (int, Answer) {
	now := h.opts.Clock.Now()
	delivery := provider.Delivery(header)
	if len(delivery) > maxRef {
		return refuse(http.StatusBadRequest, "the delivery's id is too long")
	}
	answer := Answer{Repository: target.Key}
	if delivery != "" && h.replays.repeat(id+" "+delivery, now) {
		answer.Reason = "delivery already seen"
		return http.StatusAccepted, answer
	}
	push, err := provider.Parse(header, body)
	if err != nil {
		return refuse(http.StatusBadRequest, err.Error())
	}
	if push.Ignore != "" {
		answer.Reason = push.Ignore
		return http.StatusAccepted, answer
	}
	if reason := target.follows(push); reason != "" {
		return refuse(http.StatusNotFound, reason)
	}
	if delivery != "" {
		h.replays.accept(id+" "+delivery, now)
	}
	if answer.Triggered = h.throttle.ask(target.Key); !answer.Triggered {
		answer.Reason = "already pending"
	}
	return http.StatusAccepted, answer
}
