use crate::{operator, run};

#[test]
fn a_line_that_makes_no_sense_ends_with_64_and_says_why() {
    let lines = [
        ("frobnicate", "frobnicate"),
        ("stores --frobnicate", "--frobnicate"),
        ("--pd http://127.0.0.1:1 --simulate stores", "--simulate"),
        ("--pd http://127.0.0.1:1 stores --simulate", "--simulate"),
        ("--simulate=frobnicate stores", "store-crash"),
        ("--pd http:// stores", "http://"),
        ("--pd ftp://127.0.0.1 stores", "ftp"),
        ("--simulate store", "<ID>"),
        ("--simulate store -1", "-1"),
        ("--simulate store 18446744073709551616", "18446744073709551616"),
        ("--simulate region", "--with-key"),
        ("--simulate region 1 --with-key 00", "--with-key"),
        ("--simulate region --with-key xyz", "--with-key"),
        ("--simulate hot --by frobnicate", "--by"),
        ("--simulate -o yaml stores", "yaml"),
        ("--simulate --timeout soon stores", "--timeout"),
        ("--simulate --timeout 0s stores", "--timeout"),
        ("--simulate hot --top 0", "--top"),
        ("--simulate regions --limit 0", "--limit"),
        ("--simulate simulate", "--scenario"),
        ("--pd http://127.0.0.1:1 --cert /dev/null stores", "key"),
        ("query", "<PROMQL>"),
        ("query up", "PROMETHEUS_URL"),
        ("--simulate query up", "--prometheus"),
        ("--prometheus ftp://127.0.0.1 query up", "ftp"),
        ("--prometheus http://127.0.0.1:1 --prometheus-header frobnicate query up", "--prometheus-header"),
        ("--prometheus http://127.0.0.1:1 --prometheus-token-file /nowhere/token query up", "/nowhere/token"),
        ("--simulate metrics x", "x"),
        ("--pd http://127.0.0.1:1 --cacert /nowhere/ca.pem stores", "/nowhere/ca.pem"),
    ];
    for (line, named) in lines {
        let outcome = run(&mut operator(line));
        assert_eq!(outcome.code, Some(64), "{line}: {}", outcome.stderr);
        assert_eq!(outcome.stdout, "", "{line}");
        assert!(
            outcome.stderr.starts_with("error: ") && outcome.stderr.contains(named),
            "{line}: {}",
            outcome.stderr
        );
    }
}

#[test]
fn without_a_cluster_the_three_ways_to_name_one_are_told() {
    for variable in ["", ",", " "] {
        let outcome = run(operator("stores").env("PD_ENDPOINT", variable));
        assert_eq!((outcome.code, &*outcome.stdout), (Some(64), ""));
        for way in ["--pd", "PD_ENDPOINT", "--simulate"] {
            assert!(outcome.stderr.contains(way), "{}", outcome.stderr);
        }
    }
}

#[test]
fn the_environment_names_a_cluster_and_the_command_line_goes_before_it() {
    let from_environment = run(operator("--timeout 2s stores").env("PD_ENDPOINT", "http://127.0.0.1:1"));
    assert_eq!(from_environment.code, Some(1));
    assert!(from_environment.stderr.contains("127.0.0.1:1"), "{}", from_environment.stderr);
    let simulated = run(operator("--simulate stores").env("PD_ENDPOINT", "http://127.0.0.1:1"));
    assert_eq!((simulated.code, &*simulated.stderr), (Some(0), ""));
}
