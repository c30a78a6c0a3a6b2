package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/muster-dev/muster/pkg/protocol"
)

// refusal is an answer that is not a success: an HTTP status and the body an agent reads.
type refusal struct {
	status     int
	body       protocol.Error
	retryAfter time.Duration
	// cause is for our log only; it may name objects the caller must not know of.
	cause error
}

func (r *refusal) Error() string { return r.body.Error() }
func (r *refusal) Unwrap() error { return r.cause }

var statusOf = map[string]int{
	protocol.CodeUnauthorized: http.StatusUnauthorized,
	protocol.CodeRevoked:      http.StatusUnauthorized,
	protocol.CodeExpired:      http.StatusUnauthorized,
	protocol.CodeUsed:         http.StatusForbidden,
	protocol.CodeQuarantined:  http.StatusForbidden,
	protocol.CodeForbidden:    http.StatusForbidden,
	protocol.CodeNotFound:     http.StatusNotFound,
	protocol.CodeTooLarge:     http.StatusRequestEntityTooLarge,
	protocol.CodeInvalid:      http.StatusBadRequest,
	protocol.CodeConflict:     http.StatusConflict,
	protocol.CodeHubWentBack:  http.StatusConflict,
	protocol.CodeBusy:         http.StatusServiceUnavailable,
}

func refuse(code, action, format string, args ...any) *refusal {
	return &refusal{status: statusOf[code], body: protocol.Error{Code: code, Action: action, Message: fmt.Sprintf(format, args...)}}
}

func (r *refusal) after(d time.Duration) *refusal {
	r.retryAfter = d
	if r.body.Code == protocol.CodeBusy {
		r.status = http.StatusTooManyRequests
	}
	return r
}

// broken is what an agent hears of our own errors: try again.
func broken(cause error) *refusal {
	r := refuse(protocol.CodeBusy, "", "the hub cannot answer now")
	r.retryAfter = time.Second
	r.cause = cause
	return r
}

func (g *Gateway) writeError(w http.ResponseWriter, req *http.Request, err error) {
	var r *refusal
	if !errors.As(err, &r) {
		r = broken(err)
	}
	g.metrics.refused(r.body.Code)
	if r.cause != nil && req.Context().Err() == nil {
		g.log.Error(r.cause, "Refused an agent", "path", req.URL.Path, "code", r.body.Code)
	}
	if r.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(r.retryAfter.Seconds()))))
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(r.status)
	// The agent hung up: nobody is left to tell.
	_ = json.NewEncoder(w).Encode(r.body)
}
