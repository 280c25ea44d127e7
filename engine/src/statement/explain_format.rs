//! The documents that EXPLAIN shows a plan as (PostgreSQL's explain.c): YAML and XML with the properties that the JSON has.

use serde_json::{Map, Value};

/// `- Plan: …`: strings and numbers as JSON writes them.
pub fn yaml(document: &Map<String, Value>) -> String {
    let mut text = String::new();
    yaml_object(document, 0, &mut text);
    text.trim_end_matches('\n').to_owned()
}

/// An object as an item of a list: the dash stands in the two columns before its first property.
fn yaml_object(object: &Map<String, Value>, indent: usize, text: &mut String) {
    for (position, (name, value)) in object.iter().enumerate() {
        let dash = if position == 0 { "- " } else { "  " };
        text.push_str(&format!("{:indent$}{dash}{name}: ", ""));
        match value {
            Value::Object(inner) => {
                text.push('\n');
                let mut nested = String::new();
                yaml_object(inner, indent + 2, &mut nested);
                // Properties of a property need no dash.
                text.push_str(&nested.replacen("- ", "  ", 1));
            }
            Value::Array(items) => {
                text.push('\n');
                for item in items.iter().filter_map(Value::as_object) {
                    yaml_object(item, indent + 4, text);
                }
            }
            scalar => text.push_str(&format!("{scalar}\n")),
        }
    }
}

/// `<explain>…`: names with a dash for what no name of an element may have.
pub fn xml(document: &Map<String, Value>) -> String {
    let mut text = String::from("<explain xmlns=\"http://www.postgresql.org/2009/explain\">\n  <Query>\n");
    xml_object(document, 4, &mut text);
    text.push_str("  </Query>\n</explain>");
    text
}

fn xml_object(object: &Map<String, Value>, indent: usize, text: &mut String) {
    for (name, value) in object {
        let name: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect();
        match value {
            Value::Object(inner) => {
                text.push_str(&format!("{:indent$}<{name}>\n", ""));
                xml_object(inner, indent + 2, text);
                text.push_str(&format!("{:indent$}</{name}>\n", ""));
            }
            Value::Array(items) => {
                text.push_str(&format!("{:indent$}<{name}>\n", ""));
                for item in items.iter().filter_map(Value::as_object) {
                    let one = name.trim_end_matches('s');
                    let inner = indent + 2;
                    text.push_str(&format!("{:inner$}<{one}>\n", ""));
                    xml_object(item, indent + 4, text);
                    text.push_str(&format!("{:inner$}</{one}>\n", ""));
                }
                text.push_str(&format!("{:indent$}</{name}>\n", ""));
            }
            scalar => {
                let written = scalar.as_str().map_or_else(|| scalar.to_string(), escaped);
                text.push_str(&format!("{:indent$}<{name}>{written}</{name}>\n", ""));
            }
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\r', "&#x0d;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document() -> Map<String, Value> {
        let scan = json!({"Node Type": "Scan", "Detail": "a < 1"});
        let plan = json!({"Node Type": "Sort", "Actual Rows": 3, "Plans": [scan.clone(), scan]});
        Map::from_iter([("Plan".to_owned(), plan), ("Execution Time".to_owned(), json!(1.5))])
    }

    #[test]
    fn yaml_is_postgresqls() {
        let expected = "- Plan: \n    Node Type: \"Sort\"\n    Actual Rows: 3\n    Plans: \n      - Node Type: \"Scan\"\n        Detail: \"a < 1\"\n      - Node Type: \"Scan\"\n        Detail: \"a < 1\"\n  Execution Time: 1.5";
        assert_eq!(yaml(&document()), expected);
    }

    #[test]
    fn xml_is_postgresqls() {
        let scan = "        <Plan>\n          <Node-Type>Scan</Node-Type>\n          <Detail>a &lt; 1</Detail>\n        </Plan>\n";
        let expected = format!(
            "<explain xmlns=\"http://www.postgresql.org/2009/explain\">\n  <Query>\n    <Plan>\n      <Node-Type>Sort</Node-Type>\n      <Actual-Rows>3</Actual-Rows>\n      <Plans>\n{scan}{scan}      </Plans>\n    </Plan>\n    <Execution-Time>1.5</Execution-Time>\n  </Query>\n</explain>"
        );
        assert_eq!(xml(&document()), expected);
    }
}
