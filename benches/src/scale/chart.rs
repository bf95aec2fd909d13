//! Charts as SVG, light and dark, drawn from the cells of the tables.

use std::error::Error;

use plotters::coord::combinators::BindKeyPoints;
use plotters::coord::ranged1d::{Ranged, ValueFormatter};
use plotters::coord::{Shift, cartesian::Cartesian2d};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::table::{Table, number};

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn Error>>;

const WIDTH: u32 = 720;
/// The lines of a median are thinner, and dashed.
const THIN: u32 = 2;
const THICK: u32 = 4;
/// The height of text, which is still read where the picture is half as wide, as on a phone.
const TEXT: u32 = 26;
const TITLE: u32 = 32;

/// The colours of a scheme.
pub(super) struct Scheme {
    pub(super) name: &'static str,
    paper: RGBColor,
    ink: RGBColor,
    grid: RGBColor,
    series: [RGBColor; 3],
}

pub(super) const SCHEMES: [Scheme; 2] = [
    Scheme {
        name: "light",
        paper: RGBColor(255, 255, 255),
        ink: RGBColor(31, 35, 40),
        grid: RGBColor(218, 223, 229),
        series: [
            RGBColor(9, 105, 218),
            RGBColor(188, 76, 0),
            RGBColor(110, 119, 129),
        ],
    },
    Scheme {
        name: "dark",
        paper: RGBColor(13, 17, 23),
        ink: RGBColor(230, 237, 243),
        grid: RGBColor(48, 54, 61),
        series: [
            RGBColor(88, 166, 255),
            RGBColor(240, 136, 62),
            RGBColor(139, 148, 158),
        ],
    },
];

impl Scheme {
    fn text(&self, size: u32, at: HPos) -> TextStyle<'static> {
        let style = ("sans-serif", size).into_font().color(&self.ink);
        style.pos(Pos::new(at, VPos::Center))
    }
}

/// Draws what `table` says of throughput and latency as something grows: a line for each contender.
pub(super) fn lines(title: &str, table: &Table, scheme: &Scheme) -> Result<String, Box<dyn Error>> {
    let mut names: Vec<&str> = Vec::new();
    let mut growing: Vec<&str> = Vec::new();
    for row in &table.rows {
        if !names.contains(&row[1].as_str()) {
            names.push(&row[1]);
        }
        if !growing.contains(&row[0].as_str()) {
            growing.push(&row[0]);
        }
    }
    svg(title, table, scheme, 800, |area| {
        let legend = names.iter().map(|name| (*name).to_owned());
        let below = legend_below(area, scheme, legend.collect())?;
        let (_, panels) = area.split_vertically(below);
        let (upper, lower) = panels.split_vertically((800 - below) / 2 - 15);
        let panel = |area: &Area<'_>, what: &str, columns: &[(usize, u32)], is_last: bool| {
            let x_label = is_last.then_some(table.heads[0].as_str());
            panel(
                area,
                scheme,
                table,
                (&names, &growing),
                (what, columns),
                x_label,
            )
        };
        panel(&upper, &table.heads[2], &[(2, THICK)], false)?;
        panel(
            &lower,
            "µs: p99 thick, p50 dashed",
            &[(4, THICK), (3, THIN)],
            true,
        )
    })
}

/// Draws the legend below the title, and returns where it ends.
fn legend_below(
    area: &Area<'_>,
    scheme: &Scheme,
    names: Vec<String>,
) -> Result<u32, Box<dyn Error>> {
    let mut left = 24;
    for (at, name) in names.iter().enumerate() {
        area.draw(&Circle::new((left, 66), 8, scheme.series[at].filled()))?;
        area.draw_text(name, &scheme.text(TEXT, HPos::Left), (left + 16, 66))?;
        left += 50 + 12 * name.chars().count() as i32;
    }
    Ok(88)
}

/// Draws one panel: the columns of the table for each contender.
fn panel(
    area: &Area<'_>,
    scheme: &Scheme,
    table: &Table,
    (names, growing): (&[&str], &[&str]),
    (what, columns): (&str, &[(usize, u32)]),
    x_label: Option<&str>,
) -> Drawn {
    area.draw_text(what, &scheme.text(TEXT, HPos::Left), (24, 14))?;
    let figures = table.rows.iter();
    let figures = figures.flat_map(|row| {
        columns
            .iter()
            .filter_map(|(column, _)| number(&row[*column]))
    });
    let (least, most) = figures.fold((f64::MAX, 0.0_f64), |(least, most), figure| {
        (least.min(figure), most.max(figure))
    });
    let (bottom, top) = (least / 1.4, most * 1.4);
    // What grows is multiplied by four from step to step.
    let place = |step: usize| 4_f64.powi(step as i32);
    let x = (place(0) / 1.3..place(growing.len() - 1) * 1.3).log_scale();
    let x = x.with_key_points((0..growing.len()).map(place).collect());
    let y = (bottom..top)
        .log_scale()
        .with_key_points(marks(bottom, top));
    let mut chart = ChartBuilder::on(area)
        .margin_top(30)
        .margin_right(32)
        .y_label_area_size(96)
        .x_label_area_size(if x_label.is_some() { 72 } else { 36 })
        .build_cartesian_2d(x, y)?;
    mesh(&mut chart, scheme, growing, x_label)?;
    // Ours is first, and drawn last, above the others.
    for (at, name) in names.iter().enumerate().rev() {
        let colour = scheme.series[at];
        for (column, width) in columns {
            let rows = table.rows.iter().filter(|row| row[1] == *name);
            let points: Vec<_> = rows
                .filter_map(|row| {
                    let x = growing.iter().position(|it| *it == row[0])?;
                    Some((place(x), number(&row[*column])?))
                })
                .collect();
            let dots = points
                .iter()
                .map(|point| Circle::new(*point, width + 2, colour.filled()));
            chart.draw_series(dots)?;
            let path = PathElement::new(points, colour.stroke_width(*width));
            chart.draw_series([path])?;
        }
    }
    Ok(())
}

fn mesh<X, Y>(
    chart: &mut ChartContext<'_, SVGBackend<'_>, Cartesian2d<X, Y>>,
    scheme: &Scheme,
    growing: &[&str],
    x_label: Option<&str>,
) -> Drawn
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let text = ("sans-serif", TEXT).into_font().color(&scheme.ink);
    let step = |place: &f64| place.log(4.0).round() as usize;
    let steps = |place: &f64| {
        growing
            .get(step(place))
            .copied()
            .unwrap_or_default()
            .to_owned()
    };
    let figures = |figure: &f64| short(*figure);
    let mut mesh = chart.configure_mesh();
    mesh.axis_style(scheme.grid)
        .bold_line_style(scheme.grid)
        .light_line_style(TRANSPARENT)
        .label_style(text.clone())
        .axis_desc_style(text)
        .x_label_formatter(&steps)
        .y_label_formatter(&figures);
    if let Some(label) = x_label {
        mesh.x_desc(label);
    }
    mesh.draw()?;
    Ok(())
}

/// The lines of a logarithmic axis: 1, 10, 100 and so on, with 2 and 5 between them if these are few.
fn marks(bottom: f64, top: f64) -> Vec<f64> {
    let steps: &[f64] = match (top / bottom).log10() {
        decades if decades > 3.0 => &[1.0],
        decades if decades > 1.5 => &[1.0, 3.0],
        _ => &[1.0, 2.0, 5.0],
    };
    let decades = bottom.log10().floor() as i32..=top.log10().ceil() as i32;
    let marks = decades.flat_map(|decade| steps.iter().map(move |step| step * 10_f64.powi(decade)));
    marks.filter(|mark| (bottom..=top).contains(mark)).collect()
}

/// A number on an axis: 20k for 20,000.
fn short(number: f64) -> String {
    let (number, unit) = match number {
        _ if number >= 999_999.0 => (number / 1e6, "M"),
        _ if number >= 999.0 => (number / 1e3, "k"),
        _ => (number, ""),
    };
    format!("{}{unit}", (number * 1e3).round() / 1e3)
}

/// Draws the bytes of each kind of entry: ours and what is made by hand, in process and on Redis.
pub(super) fn bars(title: &str, table: &Table, scheme: &Scheme) -> Result<String, Box<dyn Error>> {
    const BAR: i32 = 30;
    let places = ["in process", "Redis"];
    let rows = |place: &str| {
        table
            .rows
            .iter()
            .filter(|row| row[1] == place)
            .collect::<Vec<_>>()
    };
    let many = table.rows.len() as i32;
    let height = 88 + places.len() as i32 * 50 + many * (2 * BAR + 48);
    let most = table
        .rows
        .iter()
        .flat_map(|row| [2, 4].map(|column| number(&row[column])));
    let most = most.flatten().fold(1.0, f64::max);
    svg(title, table, scheme, height as u32, |area| {
        let names = ["larder", "the peer that is named"].map(str::to_owned);
        let mut top = legend_below(area, scheme, names.into())? as i32;
        for place in places {
            area.draw_text(place, &scheme.text(TITLE, HPos::Left), (24, top + 20))?;
            top += 50;
            for row in rows(place) {
                let what = match row[3].as_str() {
                    super::table::NONE => row[0].clone(),
                    peer => format!("{}, beside {peer}", row[0]),
                };
                area.draw_text(&what, &scheme.text(TEXT, HPos::Left), (24, top + 10))?;
                top += 30;
                for (column, colour) in [(2, scheme.series[0]), (4, scheme.series[1])] {
                    let Some(bytes) = number(&row[column]) else {
                        continue;
                    };
                    let end = 24 + (bytes / most * f64::from(WIDTH - 24 - 110)) as i32;
                    let bar = Rectangle::new([(24, top), (end, top + BAR - 4)], colour.filled());
                    area.draw(&bar)?;
                    let middle = top + BAR / 2 - 2;
                    area.draw_text(
                        &row[column],
                        &scheme.text(TEXT, HPos::Left),
                        (end + 8, middle),
                    )?;
                    top += BAR;
                }
                top += 18;
            }
        }
        Ok(())
    })
}

/// The picture, which says its title and the rows of the table to those who do not see it.
fn svg(
    title: &str,
    table: &Table,
    scheme: &Scheme,
    height: u32,
    draw: impl FnOnce(&Area<'_>) -> Drawn,
) -> Result<String, Box<dyn Error>> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
        area.fill(&scheme.paper)?;
        area.draw_text(title, &scheme.text(TITLE, HPos::Left), (24, 30))?;
        draw(&area)?;
        area.present()?;
    }
    let thin = format!("stroke-width=\"{THIN}\" points");
    let text = text.replace(
        &thin,
        &format!("stroke-width=\"{THIN}\" stroke-dasharray=\"7 5\" points"),
    );
    let (head, rest) = text
        .split_once('\n')
        .ok_or("an SVG begins with a line of its own")?;
    let (heads, rows) = (table.heads.join("; "), table.lines());
    Ok(format!(
        "{head}\n<title>{title}</title>\n<desc>{heads}\n{rows}</desc>\n{rest}"
    ))
}
