//! Loads the page in a headless browser: it fits phones and desktops, labels do not overlap, and it prints. Skipped
//! without Chromium.

mod compared;
mod made_up;

use std::path::{Path, PathBuf};
use std::process::Command;

use made_up::{grid, hole, write};
use micse_report::{ComparedCell, write_report_with};
use serde_json::Value;

const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    BROWSERS.iter().flat_map(|name| folders.iter().map(move |f| f.join(name))).find(|p| p.is_file())
}

/// Loads the page in frames as wide as a phone and a desktop, and writes its findings as JSON.
const PROBE: &str = r#"<!DOCTYPE html><html><body>
<iframe src="report.html" style="border:0;width:390px;height:900px"></iframe>
<iframe src="report.html" style="border:0;width:1280px;height:900px"></iframe>
<pre id="found"></pre>
<script>
addEventListener('load', () => {
  const found = [];
  for (const frame of document.querySelectorAll('iframe')) {
    const page = frame.contentDocument, root = page.documentElement;
    const charts = [...page.querySelectorAll('svg.chart')].filter(c => c.getBoundingClientRect().width > 0);
    const overlaps = [], outside = [];
    let smallest = 99;
    for (const chart of charts) {
      const box = chart.getBoundingClientRect();
      const texts = [...chart.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()]);
      const scale = box.width / chart.viewBox.baseVal.width;
      for (const t of chart.querySelectorAll('text')) {
        smallest = Math.min(smallest, parseFloat(frame.contentWindow.getComputedStyle(t).fontSize) * scale);
      }
      texts.forEach(([a, r], i) => {
        if (r.left < box.left - 1 || r.right > box.right + 1 || r.top < box.top - 1 || r.bottom > box.bottom + 1) {
          outside.push(a);
        }
        for (const [b, s] of texts.slice(i + 1)) {
          const wide = Math.min(r.right, s.right) - Math.max(r.left, s.left);
          const high = Math.min(r.bottom, s.bottom) - Math.max(r.top, s.top);
          if (wide > 1 && high > 3.5) overlaps.push(a + ' | ' + b);
        }
      });
    }
    found.push({
      width: frame.clientWidth, scroll: root.scrollWidth, charts: charts.length,
      figures: page.querySelectorAll('figure').length,
      narrowest: Math.min(...charts.map(c => c.getBoundingClientRect().width)),
      smallest, overlaps, outside,
    });
  }
  document.getElementById('found').textContent = JSON.stringify(found);
});
</script></body></html>"#;

fn run(browser: &Path, profile: &Path, arguments: &[&str], page: &Path) -> String {
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--allow-file-access-from-files",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(arguments)
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("the browser starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_page_fits_phones_desks_and_paper() {
    let Some(browser) = browser() else {
        println!("skipped: no browser ({}) on the PATH", BROWSERS.join(", "));
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let profile = tempfile::tempdir().expect("a folder");
    let names: Vec<String> = (0..20).map(|i| format!("a-method-with-a-long-name-{i}")).collect();
    let mut methods: Vec<&str> = names.iter().map(String::as_str).collect();
    methods.extend([
        "simcse",
        "ami-simcse",
        "moco-simcse",
        "micse",
        "simcse-positives",
        "simcse@released-code",
    ]);
    let score = |method: &str, size: usize, seed: u64| {
        45.0 + (method.len() * 7 % 11) as f64 / 3.0 + (size as f64).log10() + (seed % 2) as f64 / 2.0
    };
    let mut cells = grid(&methods, score);
    cells.push(hole("micse", "100000", 100_000, 50));
    write(folder.path(), &cells);
    // Cells 0 to 156: an untrained row, then, per seed, three sizes of 26 methods. Two methods keep all models.
    for index in 1..157 {
        let model = folder.path().join(format!("cells/cell-{index}/model"));
        std::fs::create_dir_all(&model).expect("a folder");
        std::fs::write(model.join("model.safetensors"), "weights").expect("a file");
    }
    let names = ["a-method-with-a-long-name-in-a-run-folder-with-a-longer-one", "micse"];
    let mut compare = |_: &[ComparedCell; 2]| Ok(compared::figures(names, 500));
    let page = write_report_with(folder.path(), None, &mut compare).expect("a report").page;

    let probe = folder.path().join("probe.html");
    std::fs::write(&probe, PROBE).expect("the probe");
    let dom = run(&browser, profile.path(), &["--window-size=1400,2000", "--dump-dom"], &probe);
    let found = dom
        .split("<pre id=\"found\">")
        .nth(1)
        .and_then(|rest| rest.split("</pre>").next())
        .expect("findings");
    let found = found.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">");
    let found: Vec<Value> = serde_json::from_str(&found).unwrap_or_else(|e| panic!("{e}: {found}"));
    assert_eq!(found.len(), 2);
    for frame in &found {
        let number = |key: &str| frame[key].as_f64().unwrap_or_else(|| panic!("{key} in {frame}"));
        assert!(number("scroll") <= number("width"), "the page is wider than its window: {frame}");
        assert!(number("figures") >= 11.0, "{frame}");
        assert_eq!(
            number("charts"),
            number("figures"),
            "exactly one drawing of each figure must be visible: {frame}"
        );
        assert!(number("narrowest") >= 340.0, "a picture is too small: {frame}");
        assert!(number("smallest") >= 10.0, "text in a picture is too small: {frame}");
        for list in ["overlaps", "outside"] {
            assert_eq!(frame[list].as_array().map(Vec::len), Some(0), "labels in {list}: {}", frame[list]);
        }
    }

    let shot = folder.path().join("shot.png");
    run(
        &browser,
        profile.path(),
        &["--window-size=1280,1600", &format!("--screenshot={}", shot.display())],
        &page,
    );
    let pixels =
        resvg::tiny_skia::Pixmap::decode_png(&std::fs::read(&shot).expect("a screenshot")).expect("a PNG");
    let ground = pixels.pixel(0, 0);
    let inked = pixels.pixels().iter().filter(|p| Some(**p) != ground).count();
    assert!(inked > 20_000, "the page is empty: {inked} pixels");

    let pdf = folder.path().join("page.pdf");
    run(
        &browser,
        profile.path(),
        &["--no-pdf-header-footer", &format!("--print-to-pdf={}", pdf.display())],
        &page,
    );
    let bytes = std::fs::read(&pdf).expect("a PDF");
    assert!(bytes.starts_with(b"%PDF-"));
    let pages = String::from_utf8_lossy(&bytes).matches("/Type /Page\n").count();
    assert!((3..40).contains(&pages), "{pages} printed pages");
}
