use std::path::{Path, PathBuf};

use crate::Failure;
use crate::app::App;
use crate::chromium::Chromium;
use crate::page::Page;

/// The width of the screen, light or dark mode, and the guest who uses it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    pub(crate) name: &'static str,
    pub(crate) size: (u32, u32),
    pub(crate) scheme: &'static str,
    hall: Hall,
    guest: Guest,
}

/// The hall of the walk: one is wider than a narrow screen, the other is not.
#[derive(Clone, Copy, Debug)]
enum Hall {
    Largest,
    Smallest,
}

impl Hall {
    /// Returns the id of the link to the last showing in it.
    fn showing(self) -> String {
        let sign = match self {
            Self::Largest => 1,
            Self::Smallest => -1,
        };
        format!(
            "[...document.querySelectorAll('.ticket')]
                .map(it => [{sign} * parseInt(it.querySelector('.ticket-place span').innerText), it])
                .reduce((best, it) => it[0] >= best[0] ? it : best)[1].querySelector('a').id"
        )
    }
}

/// A demo account, and the seat that it will book.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guest {
    name: &'static str,
    pub(crate) email: &'static str,
    pub(crate) password: &'static str,
    seat: &'static str,
}

impl View {
    pub(crate) fn is_narrow(self) -> bool {
        self.size.0 < 600
    }
}

pub(crate) const ADA: Guest = Guest {
    name: "Ada",
    email: "ada@matinee.example",
    password: "front-row-centre",
    seat: "C4",
};
pub(crate) const ADMIN: Guest = Guest {
    name: "The projectionist",
    email: "admin@matinee.example",
    password: "lights-camera-admin",
    seat: "A1",
};
const GRACE: Guest = Guest {
    name: "Grace",
    email: "grace@matinee.example",
    password: "back-row-corner",
    seat: "D5",
};

/// All walks, one after another in the same app.
pub(crate) const VIEWS: [View; 4] = [
    View {
        name: "narrow",
        size: (390, 844),
        scheme: "light",
        hall: Hall::Largest,
        guest: ADA,
    },
    View {
        name: "wide",
        size: (1280, 900),
        scheme: "light",
        hall: Hall::Largest,
        guest: GRACE,
    },
    View {
        name: "narrow-dark",
        size: (390, 844),
        scheme: "dark",
        hall: Hall::Smallest,
        guest: ADA,
    },
    View {
        name: "wide-dark",
        size: (1280, 900),
        scheme: "dark",
        hall: Hall::Smallest,
        guest: GRACE,
    },
];

/// Makes one visit, from the first page to the sign-out. Returns the number of steps.
pub(crate) fn walk(
    chromium: &Chromium,
    app: &App,
    view: View,
    dir: &Path,
) -> Result<usize, Failure> {
    let mut visit = Visit::begin(chromium, view, dir, view.name)?;
    let taken = visit.take(chromium, &app.url, view.guest);
    visit.end(taken)
}

/// A guest in front of a screen.
pub(crate) struct Visit<'a> {
    pub(crate) page: Page,
    view: View,
    dir: &'a Path,
    /// The beginning of the names of its screenshots.
    name: String,
    steps: usize,
}

impl<'a> Visit<'a> {
    pub(crate) fn begin(
        chromium: &Chromium,
        view: View,
        dir: &'a Path,
        name: impl Into<String>,
    ) -> Result<Self, Failure> {
        Ok(Self {
            page: Page::open(chromium, view)?,
            view,
            dir,
            name: name.into(),
            steps: 0,
        })
    }

    /// Returns the number of steps, or names the one that failed.
    pub(crate) fn end(self, taken: Result<(), Failure>) -> Result<usize, Failure> {
        let step = self.steps + 1;
        taken.map_err(|failure| format!("{}, step {step}: {failure}", self.name))?;
        Ok(self.steps)
    }

    fn take(&mut self, chromium: &Chromium, url: &str, guest: Guest) -> Result<(), Failure> {
        let seat = guest.seat;
        self.page.go(url)?;
        self.page.expect(&["films", "page 1 of", "Search"])?;
        self.seen("catalogue")?;

        self.page.follow(".card .poster-title a")?;
        self.page.expect(&["The film", "Showings"])?;
        self.seen("film")?;

        let showing = self.page.evaluate(&self.view.hall.showing())?;
        let showing = showing.as_str().ok_or("the film is not shown")?;
        self.page.follow(&format!("#{showing}"))?;
        self.page.expect(&["Seats", " free, as of "])?;
        self.seen("seats-of-a-stranger")?;

        self.page.follow("#sign-in-to-choose")?;
        self.page.expect(&["Sign in", "Demo accounts"])?;
        self.seen("sign-in")?;
        self.sign_in(guest, "not this one")?;
        self.page.expect(&["The email or the password is wrong."])?;
        self.seen_as("sign-in-refused", Some(401))?;
        self.sign_in(guest, guest.password)?;
        self.page.expect(&["You can hold up to 8"])?;

        self.page.click(&format!("#seat-{seat}"))?;
        let is_chosen =
            format!("document.querySelector('#seat-{seat}').matches(':enabled:checked')");
        if self.page.evaluate(&is_chosen)? != true {
            return Err("a seat that is clicked is not chosen".into());
        }
        self.seen("seat-chosen")?;
        // Somebody else has the same showing open, and does nothing.
        let mut window = Page::open(chromium, self.view)?;
        window.go(self
            .page
            .evaluate("location.href")?
            .as_str()
            .unwrap_or_default())?;
        window.wait_for_class(&format!("#seat-{seat}"), "free")?;

        self.page.follow("#hold")?;
        self.page.expect(&[
            "Your seats",
            "Held for you until",
            seat,
            "Book 1 seat for $",
        ])?;
        self.seen("seat-held")?;
        window.wait_for_class(&format!("#seat-{seat}"), "held")?;
        self.seen_in(&mut window, "seat-held-in-another-window")?;

        self.page.follow("#book")?;
        self.page
            .expect(&["My tickets", "Show this at the door", seat])?;
        self.seen("tickets")?;
        window.wait_for_class(&format!("#seat-{seat}"), "booked")?;
        self.seen_in(&mut window, "seat-booked-in-another-window")?;

        // Under another host name, so that it is not the page that was cached before.
        let fresh = url.replace("127.0.0.1", &format!("{}.localhost", self.view.name));
        self.page.go(&fresh)?;
        self.page
            .expect(&["Most booked this week", " seat", " today"])?;
        self.seen("figures")?;

        self.page.go(&format!("{url}/tickets"))?;
        self.page.follow(".site-nav a[href='/account']")?;
        let hello = format!("Hello, {}", guest.name);
        self.page
            .expect(&[&hello, guest.email, "My devices", "Chrome on", "this one"])?;
        self.seen("devices")?;

        self.page.follow("form[action='/sign-out'] button")?;
        self.page.go(&format!("{url}/tickets"))?;
        self.page.expect(&["Sign in"])?;
        self.seen("signed-out")
    }

    pub(crate) fn sign_in(&mut self, guest: Guest, password: &str) -> Result<(), Failure> {
        self.page
            .evaluate("document.querySelector('#email').value = ''")?;
        self.page.fill("#email", guest.email)?;
        self.page.fill("#password", password)?;
        self.page.follow(".slip button")
    }

    pub(crate) fn seen(&mut self, step: &str) -> Result<(), Failure> {
        self.seen_as(step, None)
    }

    /// Checks another window.
    fn seen_in(&mut self, window: &mut Page, step: &str) -> Result<(), Failure> {
        window.look(&self.picture(step), None)?;
        self.steps += 1;
        Ok(())
    }

    fn picture(&self, step: &str) -> PathBuf {
        let name = format!("{}-{:02}-{step}.png", self.name, self.steps + 1);
        self.dir.join(name)
    }

    /// The browser may report this status as an error, but nothing else.
    pub(crate) fn seen_as(&mut self, step: &str, status: Option<u16>) -> Result<(), Failure> {
        self.page.look(&self.picture(step), status)?;
        self.steps += 1;
        Ok(())
    }
}
