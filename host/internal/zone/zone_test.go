package zone

import "testing"

func TestKeysTellZonesApart(t *testing.T) {
	t.Parallel()
	seen := map[string]Zone{}
	for _, repository := range []string{"/srv/app.git", "/srv/alice/app.git", "protected:/srv/app.git", "/srv/app.git:"} {
		for _, trust := range []Trust{Unprotected, Local, Protected} {
			z := Zone{Repository: repository, Trust: trust}
			if other, known := seen[z.Key()]; known {
				t.Errorf("%+v and %+v share the key %q", z, other, z.Key())
			}
			seen[z.Key()] = z
		}
	}
}

func TestTheZeroZoneIsTheLeastTrusted(t *testing.T) {
	t.Parallel()
	var z Zone
	if z.Trust != Unprotected || z.Check() == nil || z.Check().Error() != `zone "unprotected:" names no repository` {
		t.Errorf("%v: %v", z, z.Check())
	}
}
