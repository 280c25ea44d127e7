//! `aegis demo`: a server with something in it to ask about.

mod flights;
mod timeseries;

use std::net::SocketAddr;

use anyhow::{Context, Result};
use tokio_postgres::NoTls;

/// What the server is filled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum DataSet {
    /// All flights from New York in 2013
    Flights,
    /// A fleet of devices that sends measurements every second
    Timeseries,
}

#[derive(Debug, clap::Args)]
pub struct DemoOptions {
    /// What to fill the server with
    #[arg(value_enum, default_value = "flights")]
    pub data_set: DataSet,
    #[command(flatten)]
    pub start: crate::config::Options,
}

/// Fills the server over a connection like any other; returns when there is nothing more to send. Dropping it ends the connection, and
/// with it a transaction that is not committed.
pub async fn run(data_set: DataSet, address: SocketAddr, password: Option<String>) -> Result<()> {
    let mut config = tokio_postgres::Config::new();
    config.host(address.ip().to_string()).port(address.port()).user("postgres").dbname("postgres");
    config.application_name("aegis demo");
    if let Some(password) = password {
        config.password(password);
    }
    let (client, connection) = config.connect(NoTls).await.context("demo: can't connect")?;
    let fill = async {
        match data_set {
            DataSet::Flights => flights::load(&client, address).await,
            DataSet::Timeseries => timeseries::stream(&client, address).await,
        }
    };
    tokio::select! {
        filled = fill => filled.context("demo"),
        ended = connection => ended.context("demo: connection lost"),
    }
}

/// Where the data is, how to connect and what to ask first.
fn farewell(what: &str, schema: &str, address: SocketAddr, queries: &[(&str, &str)]) -> String {
    let (host, port) = (address.ip(), address.port());
    let mut text = format!(
        "\n{what} in schema {schema}. Connect with\n\n    psql -h {host} -p {port} -U postgres\n    aegis sql \"host={host} port={port} user=postgres\"\n\nand try\n\n    SET search_path TO {schema}, public;\n"
    );
    for (title, sql) in queries {
        text.push_str(&format!("\n    -- {title}\n    {sql}\n"));
    }
    text
}
