package v1alpha1

import "k8s.io/apimachinery/pkg/util/intstr"

// IntOrString is a number, or a text such as "25%".
type IntOrString = intstr.IntOrString
