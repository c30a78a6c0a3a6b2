package lab

import "testing"

// The charts hold an account and the roles that go with it: without one of
// them a component of the lab could do nothing.
func TestChartsHoldTheAccessOfManagerAndAgent(t *testing.T) {
	for name, a := range map[string]access{"manager": managerAccess(), "agent": agentAccess()} {
		t.Run(name, func(t *testing.T) {
			objects, err := a.render()
			if err != nil {
				t.Fatal(err)
			}
			kinds := map[string]int{}
			for _, o := range objects {
				kinds[o.GetKind()]++
				if o.GetKind() == "ServiceAccount" && (o.GetName() != a.account || o.GetNamespace() != a.namespace) {
					t.Errorf("account is %s/%s, want %s/%s", o.GetNamespace(), o.GetName(), a.namespace, a.account)
				}
			}
			for _, kind := range []string{"ServiceAccount", "ClusterRoleBinding", "Role", "RoleBinding"} {
				if kinds[kind] == 0 {
					t.Errorf("chart %s has no %s, only %v", a.chart, kind, kinds)
				}
			}
			if objects[0].GetKind() != "ServiceAccount" {
				t.Errorf("first is a %s, want the account", objects[0].GetKind())
			}
		})
	}
}
