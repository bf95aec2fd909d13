use jiff::civil::Date;
use serde::Deserialize;

use crate::films::Film;

/// The form of a film, as typed.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct FilmForm {
    pub(crate) revision: i64,
    pub(crate) title: String,
    #[serde(default)]
    pub(crate) overview: String,
    #[serde(default)]
    pub(crate) running_time_min: String,
    #[serde(default)]
    pub(crate) released: String,
    #[serde(default)]
    pub(crate) certificate: String,
    #[serde(default)]
    pub(crate) genre: String,
    #[serde(default)]
    pub(crate) director: String,
    #[serde(default)]
    pub(crate) distributor: String,
}

impl From<Film> for FilmForm {
    fn from(film: Film) -> Self {
        let minutes = film.running_time_min.map(|minutes| minutes.to_string());
        Self {
            revision: film.revision,
            title: film.title,
            overview: film.overview.unwrap_or_default(),
            running_time_min: minutes.unwrap_or_default(),
            released: film.released.unwrap_or_default(),
            certificate: film.certificate.unwrap_or_default(),
            genre: film.genre.unwrap_or_default(),
            director: film.director.unwrap_or_default(),
            distributor: film.distributor.unwrap_or_default(),
        }
    }
}

impl FilmForm {
    /// Returns the edited film with the revision that the editor saw, or a list of errors to show.
    pub(crate) fn parse(&self, id: i64) -> Result<Film, Vec<String>> {
        let mut wrong = Vec::new();
        let title = line("title", &self.title, 200, &mut wrong);
        if self.title.trim().is_empty() {
            wrong.push("Please enter a title.".to_owned());
        }
        let film = Film {
            id,
            revision: self.revision,
            title: title.unwrap_or_default(),
            overview: text("overview", &self.overview, 2_000, &mut wrong),
            running_time_min: minutes(&self.running_time_min, &mut wrong),
            released: released(&self.released, &mut wrong),
            certificate: line("certificate", &self.certificate, 20, &mut wrong),
            genre: line("genre", &self.genre, 50, &mut wrong),
            director: line("director", &self.director, 200, &mut wrong),
            distributor: line("distributor", &self.distributor, 200, &mut wrong),
        };
        if wrong.is_empty() {
            Ok(film)
        } else {
            Err(wrong)
        }
    }
}

/// Reads a line of text; `None` if it is blank.
fn line(name: &str, typed: &str, most: usize, wrong: &mut Vec<String>) -> Option<String> {
    let words = typed.split(|c: char| c.is_whitespace() || c.is_control());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    bounded(name, words.join(" "), most, wrong)
}

/// Reads several lines of text; `None` if they are blank.
fn text(name: &str, typed: &str, most: usize, wrong: &mut Vec<String>) -> Option<String> {
    let typed = typed.replace("\r\n", "\n");
    let plain = typed.chars().filter(|c| *c == '\n' || !c.is_control());
    let plain: String = plain.collect();
    bounded(name, plain.trim().to_owned(), most, wrong)
}

fn bounded(name: &str, text: String, most: usize, wrong: &mut Vec<String>) -> Option<String> {
    if text.chars().count() > most {
        wrong.push(format!(
            "The {name} may have up to {most} characters; this one has more."
        ));
    }
    (!text.is_empty()).then_some(text)
}

fn minutes(typed: &str, wrong: &mut Vec<String>) -> Option<u32> {
    match typed.trim() {
        "" => None,
        minutes => {
            let minutes = minutes.parse().ok().filter(|it| (1..=999).contains(it));
            if minutes.is_none() {
                wrong.push("The running time is a number of minutes, from 1 to 999.".to_owned());
            }
            minutes
        }
    }
}

fn released(typed: &str, wrong: &mut Vec<String>) -> Option<String> {
    match typed.trim() {
        "" => None,
        date => {
            let date = date.parse::<Date>().ok().filter(|date| date.year() > 0);
            if date.is_none() {
                wrong.push("The date of release is a day, as in 1998-06-12.".to_owned());
            }
            date.map(|date| date.to_string())
        }
    }
}
