use crate::db::{Letter, LetterKind};
use crate::pages::text;

/// Returns the name of a letter for the queue and the mail directory, which is the same each time.
///
/// It contains the time, because a database that is restored or made anew gives the same numbers to other letters.
pub(super) fn name(id: i64, written_at_ms: i64) -> String {
    format!("letter-{id}-{written_at_ms}")
}

/// Formats a letter as a message (RFC 5322), in UTF-8 throughout (RFC 6532).
pub(super) fn message(letter: &Letter) -> String {
    let day = text::utc(letter.starts_at_ms, "%A %-d %B");
    let time = text::time(letter.starts_at_ms);
    let seats = text::counted(letter.seats, "seat", "seats");
    let (film, screen) = (one_line(&letter.film), one_line(&letter.screen));
    let (subject, what) = match letter.kind {
        LetterKind::Confirmation => (format!("Your tickets: {film}"), "You have booked"),
        LetterKind::Reminder => (
            format!("Reminder: {film}, {day} at {time} UTC"),
            "We look forward to seeing you. You have booked",
        ),
    };
    let lines = [
        "From: Matinee <box-office@matinee.example>".to_owned(),
        format!("To: <{}>", one_line(&letter.email)),
        format!("Subject: {subject}"),
        format!(
            "Date: {}",
            text::utc(letter.written_at_ms, "%a, %d %b %Y %H:%M:%S +0000")
        ),
        format!(
            "Message-ID: <{}@matinee.example>",
            name(letter.id, letter.written_at_ms)
        ),
        "MIME-Version: 1.0".to_owned(),
        "Content-Type: text/plain; charset=utf-8".to_owned(),
        "Content-Transfer-Encoding: 8bit".to_owned(),
        String::new(),
        format!("Dear {},", one_line(&letter.name)),
        String::new(),
        format!("{what} {seats} for {film},"),
        format!("{day}, {time} UTC, {screen}."),
        String::new(),
        format!("Show this at the door: {}", letter.code),
        String::new(),
        "Matinee".to_owned(),
        String::new(),
    ];
    lines.join("\r\n")
}

/// Replaces control characters: a title or a name must not begin another header.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(film: &str) -> Letter {
        Letter {
            id: 7,
            kind: LetterKind::Confirmation,
            email: "ada@matinee.example".to_owned(),
            name: "Ada".to_owned(),
            code: "ABCD".to_owned(),
            film: film.to_owned(),
            screen: "Snug".to_owned(),
            starts_at_ms: 1_795_460_400_000,
            written_at_ms: 1_795_392_000_000,
            seats: 2,
        }
    }

    #[test]
    fn a_letter_says_what_was_booked_and_the_code_to_show() {
        let message = message(&letter("Léon"));
        for part in [
            "To: <ada@matinee.example>\r\n",
            "Subject: Your tickets: Léon\r\n",
            "Date: Mon, 23 Nov 2026 00:00:00 +0000\r\n",
            "Message-ID: <letter-7-1795392000000@matinee.example>\r\n",
            "\r\n\r\nDear Ada,\r\n\r\nYou have booked 2 seats for Léon,\r\nMonday 23 November, 19:00 UTC, Snug.",
            "door: ABCD",
        ] {
            assert!(message.contains(part), "no {part:?} in {message}");
        }
    }

    #[test]
    fn a_reminder_says_in_its_subject_when_the_film_is_shown() {
        let kind = LetterKind::Reminder;
        let message = message(&Letter {
            kind,
            ..letter("Léon")
        });
        let subject = "Subject: Reminder: Léon, Monday 23 November at 19:00 UTC\r\n";
        assert!(message.contains(subject), "{message}");
        assert!(message.contains("\r\nWe look forward to seeing you. You have booked 2 seats"));
    }

    #[test]
    fn a_title_begins_no_header_of_its_own() {
        let message = message(&letter(
            "Jaws\r\nBcc: everybody@matinee.example\r\n\r\nHello",
        ));
        let (head, _) = message.split_once("\r\n\r\n").unwrap();
        assert!(head.lines().all(|line| !line.starts_with("Bcc")), "{head}");
        assert_eq!(head.lines().count(), 8);
    }
}
