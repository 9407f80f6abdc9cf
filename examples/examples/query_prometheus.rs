//! Any server that speaks Prometheus' API, asked in PromQL:
//! `cargo run -p operator-examples --example query_prometheus URL [PROMQL]`, or `PROMETHEUS_URL`.

use operator_tikv::prometheus::{PrometheusConfig, QueryResult};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(url) = std::env::args().nth(1).or_else(|| std::env::var("PROMETHEUS_URL").ok()) else {
        println!("name a Prometheus, Thanos, Mimir or VictoriaMetrics, such as http://127.0.0.1:9090");
        return Ok(());
    };
    let promql = std::env::args().nth(2).unwrap_or_else(|| "sum by (job) (up)".to_owned());

    let client = PrometheusConfig::new(url.parse()?).client()?;
    let answer = client.query(&promql).await?;
    for warning in &answer.warnings {
        eprintln!("the data may be partial: {warning}");
    }
    match answer.data {
        QueryResult::Vector(vector) => {
            vector.samples.iter().for_each(|series| println!("{} {}", series.labels, series.sample.value));
        }
        other => println!("{other:?}"),
    }
    Ok(())
}
