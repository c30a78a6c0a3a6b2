// Package jointoken makes join tokens: the object that the hub keeps and the
// text that an agent is given. It talks to no API itself.
package jointoken
