use super::*;

fn data() -> BTreeMap<String, String> {
    [("instance", "tikv1.db:20180"), ("type", "raft<x>")].map(|(k, v)| (k.to_owned(), v.to_owned())).into()
}

fn expanded(template: &str, value: f64) -> Expanded {
    let labels = data();
    Template::parse(template).unwrap().expand(TemplateData::new(&labels, value))
}

#[test]
fn annotations_as_teams_write_them_are_expanded() {
    for (template, value, text) in [
        ("no template", 1.0, "no template"),
        ("{{ $value }} of {{ $labels.instance }}{{ $labels.nothing }}", 0.5, "0.5 of tikv1.db:20180"),
        ("{{ .Value | humanizePercentage }}", 0.856, "85.6%"),
        ("{{ printf \"%.2f\" $value }}s", 1.0 / 3.0, "0.33s"),
        ("{{- if gt $value 90.0 -}} bad {{- else -}} fine {{- end -}}", 91.0, "bad"),
        (
            "{{ range $name, $value := $labels }}{{ $name }}={{ $value }},{{ end }}",
            1.0,
            "instance=tikv1.db:20180,type=raft<x>,",
        ),
        ("{{ $labels }}", 1.0, "map[instance:tikv1.db:20180 type:raft<x>]"),
        (
            "{{ with $x := $labels.instance }}{{ $x | stripPort | stripDomain | toUpper }}{{ end }}",
            1.0,
            "TIKV1",
        ),
        ("{{/* said by nobody */}}{{ reReplaceAll \"(.*)<(.)>\" \"$2-$1\" $labels.type }}", 1.0, "x-raft"),
    ] {
        assert_eq!(expanded(template, value), Expanded { text: text.to_owned(), left: None }, "{template}");
    }
}

#[test]
fn what_is_not_done_here_is_left_as_written_and_said() {
    for (template, why) in [
        ("a {{ query \"up\" | first | value }}", "`query`"),
        ("{{ $externalLabels.cluster }}", "not known"),
        ("{{ define \"x\" }}{{ end }}{{ template \"x\" }}", "templates"),
        ("{{ printf \"%#v\" $value }}", "printf"),
    ] {
        let Expanded { text, left } = expanded(template, 1.0);
        assert_eq!(text, template);
        assert!(left.as_deref().unwrap().contains(why), "{left:?}");
    }
    let known = BTreeMap::from([("cluster".to_owned(), "a".to_owned())]);
    let (labels, template) = (data(), Template::parse("{{ $externalLabels.cluster }}").unwrap());
    let data = TemplateData { external_labels: Some(&known), ..TemplateData::new(&labels, 1.0) };
    assert_eq!(template.expand(data).text, "a");
}

#[test]
fn what_fails_in_prometheus_fails_here() {
    for template in [
        "{{ humanize $labels.type }}",
        "{{ if gt $value 5 }}{{ end }}",
        "{{ .Nothing }}",
        "{{ $labels | title }}",
    ] {
        assert!(expanded(template, 1.0).text.starts_with("<error expanding template: "), "{template}");
    }
}
