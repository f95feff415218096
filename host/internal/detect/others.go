package detect

import (
	"regexp"
	"strings"
)

var (
	javaRelease = regexp.MustCompile(`<(?:maven\.compiler\.release|maven\.compiler\.target|java\.version|release)>(\d+)<`)
	toolchain   = regexp.MustCompile(`(?:JavaLanguageVersion\.of\(|jvmToolchain\()(\d+)`)
)

// currentJava is the release with long support that a project gets that names none.
const currentJava = "21"

func javaProject(d *folder) (Project, bool) {
	p := Project{Lang: "java", Fetches: "maven"}
	switch gradle := d.hasAny("build.gradle.kts", "build.gradle"); {
	case d.has("pom.xml"):
		release := firstOf(javaRelease, d.read("pom.xml"), currentJava)
		p.Why = []string{"pom.xml", "java " + release}
		p.Image, p.Run = library("maven", "3-eclipse-temurin-"+release), []string{"mvn -B -ntp verify"}
		if d.has("mvnw") {
			p.Run = []string{"sh ./mvnw -B -ntp verify"}
		}
	case gradle != "":
		release := firstOf(toolchain, d.read(gradle), currentJava)
		p.Why, p.Fetches = []string{gradle, "java " + release}, "gradle"
		p.Image, p.Run = library("gradle", "8-jdk"+release), []string{"gradle check"}
		if d.has("gradlew") {
			p.Image, p.Run = library("eclipse-temurin", release), []string{"sh ./gradlew check"}
		}
	default:
		return Project{}, false
	}
	return p, true
}

func firstOf(form *regexp.Regexp, text, other string) string {
	if m := form.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return other
}

func rubyProject(d *folder) (Project, bool) {
	if !d.has("Gemfile") {
		return Project{}, false
	}
	version := minor(numbers.FindString(d.read(".ruby-version")))
	p := Project{Lang: "ruby", Why: []string{"Gemfile"}, Fetches: "bundler"}
	if version == "" {
		version, p.Why = "3", append(p.Why, "no version of ruby named")
	} else {
		p.Why = append(p.Why, ".ruby-version: "+version)
	}
	p.Image = library("ruby", version)
	p.Run = []string{"bundle config set --local path /tmp/bundle", "bundle install"}
	switch {
	case d.below("spec"):
		p.Run = append(p.Run, "bundle exec rspec")
	case d.has("Rakefile"):
		p.Run = append(p.Run, "bundle exec rake")
	default:
		p.Run = append(p.Run, `bundle exec ruby -Ilib -Itest -e 'Dir["test/**/*_test.rb"].each { require "./" + _1 }'`)
	}
	return p, true
}

func nixProject(d *folder) (Project, bool) {
	if !d.has("flake.nix") {
		return Project{}, false
	}
	return Project{Lang: "nix", Plugin: "nix", Why: []string{"flake.nix"}}, true
}

var makeTarget = regexp.MustCompile(`(?m)^(check|test)\s*:`)

// makeProject runs the tests of a project that no other rule knows. Its image is the
// one that its Dockerfile begins with.
func makeProject(d *folder) (Project, bool) {
	name := d.hasAny("GNUmakefile", "Makefile", "makefile")
	if name == "" {
		return Project{}, false
	}
	text := d.read(name)
	targets := makeTarget.FindAllStringSubmatch(text, -1)
	if len(targets) == 0 {
		return Project{}, false
	}
	target := targets[0][1]
	for _, t := range targets {
		if t[1] == "test" {
			target = "test"
		}
	}
	p := Project{Lang: "make", Why: []string{name + ": target " + target}, Run: []string{"make " + target}}
	if m := fromLine.FindStringSubmatch(d.read("Dockerfile")); m != nil && !strings.Contains(m[1], "$") {
		p.Image, p.Why = qualified(m[1]), append(p.Why, "Dockerfile: FROM "+m[1])
	}
	return p, true
}

var fromLine = regexp.MustCompile(`(?mi)^\s*FROM\s+(?:--platform=\S+\s+)?([A-Za-z0-9][\w./:@-]*)`)

// qualified is an image's name with its registry, as docker completes it.
func qualified(name string) string {
	first, _, more := strings.Cut(name, "/")
	switch {
	case more && strings.ContainsAny(first, ".:") || more && first == "localhost":
		return name
	case more:
		return "docker.io/" + name
	}
	return "docker.io/library/" + name
}
