// Package renderer turns a bundle's inputs into what an agent applies, in a
// child process that has limits on memory, time and output, an empty
// environment and no way to open files, sockets or programs. Rendering is a
// pure function of Inputs; the pool and its memo only make it fast. Nothing
// here knows the hub, Git or a cluster.
package renderer
