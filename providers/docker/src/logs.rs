//! Reading what containers wrote. A reader may come back after any time: the cursor is the moment of the last line that
//! was read, to the nanosecond, and how many lines of that moment were.

use crate::engine::Eyes;
use bollard::{container::LogOutput, errors::Error as EngineError, query_parameters::LogsOptionsBuilder};
use wharf_model::{InstanceId, Timestamp};
use wharf_provider::{LogLine, LogStream};

/// The moment of the last line, and how many lines of that moment were read.
pub(crate) type Place = (u64, u64);

/// A line with the moment that the engine heard it, in nanoseconds.
struct Line {
    at: u64,
    stream: LogStream,
    text: String,
}

/// The lines of a container of an instance after `place`, at most the `limit` newest, and the place behind them.
pub(crate) async fn read(
    eyes: &Eyes,
    container: &str,
    (instance, rank): &(InstanceId, u32),
    place: Option<Place>,
    limit: usize,
) -> Result<(Vec<LogLine>, Option<Place>), EngineError> {
    let since = place.map_or(0, |(at, _)| i32::try_from(at / 1_000_000_000).unwrap_or(0));
    let lines = after(lines(eyes, container, since, "all").await?, place);
    let reached = lines.last().map(|last| {
        let read = lines.iter().filter(|line| line.at == last.at).count() as u64;
        let before = place.filter(|(at, _)| *at == last.at).map_or(0, |(_, read)| read);
        (last.at, before + read)
    });
    let skipped = lines.len().saturating_sub(limit);
    let told = lines.into_iter().skip(skipped).map(|Line { at, stream, text }| LogLine {
        instance: instance.clone(),
        rank: *rank,
        at: Timestamp(at / 1_000_000),
        stream,
        text,
    });
    Ok((told.collect(), reached.or(place)))
}

/// The texts of the last `count` lines.
pub(crate) async fn last(eyes: &Eyes, container: &str, count: usize) -> Result<Vec<String>, EngineError> {
    Ok(lines(eyes, container, 0, &count.to_string()).await?.into_iter().map(|line| line.text).collect())
}

async fn lines(eyes: &Eyes, container: &str, since: i32, tail: &str) -> Result<Vec<Line>, EngineError> {
    let options = LogsOptionsBuilder::default().stdout(true).stderr(true).timestamps(true).since(since).tail(tail);
    Ok(eyes.logs(container, options.build()).await?.into_iter().filter_map(parse).collect())
}

fn parse(output: LogOutput) -> Option<Line> {
    let stream = match output {
        LogOutput::StdErr { .. } => LogStream::Err,
        _ => LogStream::Out,
    };
    let text = output.to_string();
    let (moment, text) = text.split_once(' ')?;
    let at = moment.parse::<jiff::Timestamp>().ok()?.as_nanosecond();
    let text = text.trim_end_matches(['\n', '\r']).to_owned();
    Some(Line { at: u64::try_from(at).ok()?, stream, text })
}

/// The lines that come after a place. The engine answers with whole seconds.
fn after(lines: Vec<Line>, place: Option<Place>) -> Vec<Line> {
    let Some((at, read)) = place else { return lines };
    let mut same = 0;
    let is_new = |line: &Line| {
        same += u64::from(line.at == at);
        line.at > at || (line.at == at && same > read)
    };
    let mut is_new = is_new;
    lines.into_iter().filter(|line| is_new(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Option<Line> {
        parse(LogOutput::StdOut { message: text.to_owned().into() })
    }

    #[test]
    fn a_line_is_read_with_its_moment() {
        let line = line("2026-11-22T10:00:00.000000007Z hello there\n").unwrap();
        assert_eq!((line.at % 1_000, line.text.as_str()), (7, "hello there"));
    }

    #[test]
    fn a_reader_goes_on_behind_what_it_has_read() {
        let lines = || ["T10:00:00.1Z a", "T10:00:00.2Z b", "T10:00:00.2Z c", "T10:00:00.3Z d"];
        let all = || lines().into_iter().filter_map(|text| line(&format!("2026-11-22{text}"))).collect::<Vec<_>>();
        let place = (all()[1].at, 1);
        let texts: Vec<_> = after(all(), Some(place)).into_iter().map(|line| line.text).collect();
        assert_eq!(texts, ["c", "d"]);
        assert_eq!(after(all(), None).len(), 4);
    }
}
