package kustomize

// CheckFields judges the fields of a kustomization alone.
func CheckFields(text []byte) error { return checkFields("kustomization.yaml", document(text)) }
