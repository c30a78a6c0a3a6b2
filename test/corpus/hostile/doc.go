// Package hostile holds what a stranger could push to hurt a hub, kept small
// enough to prove the guard and not to be a weapon: every input is refused with
// a reason that names the file, the manager's memory hardly moves, and the
// bundle beside it is rendered as if nothing had happened.
package hostile
