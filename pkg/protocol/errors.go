package protocol

import "time"

// The codes of an Error. They are stable; texts may change.
const (
	CodeUnauthorized = "unauthorized"
	CodeRevoked      = "revoked"
	CodeQuarantined  = "quarantined"
	CodeForbidden    = "forbidden"
	CodeNotFound     = "notFound"
	CodeTooLarge     = "tooLarge"
	CodeInvalid      = "invalid"
	CodeConflict     = "conflict"
	CodeExpired      = "expired"
	CodeUsed         = "used"
	CodeBusy         = "busy"
	CodeHubWentBack  = "hubWentBack"
)

// Error makes a refusal an error; callers branch on Code with errors.As.
func (e *Error) Error() string {
	if e.Action == "" {
		return e.Code + ": " + e.Message
	}
	return e.Code + ": " + e.Message + " (" + e.Action + ")"
}

// PreviousKeyValid is how long a replaced agent key may still announce a next one.
const PreviousKeyValid = 30 * 24 * time.Hour
