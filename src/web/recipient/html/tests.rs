use super::pictures::Names;
use super::*;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nplaatje";

/// What is shown of `html`, where every `cid:` is a picture.
fn dressed(html: &str) -> Dressed {
    let mut clean = CleanHtml::of(html).unwrap();
    let files: Vec<_> = ["logo@x"]
        .iter()
        .map(|id| crate::transfer::index::IndexFile {
            part: 1,
            name: "logo.png".into(),
            media_type: "image/png".into(),
            size: 10,
            inline: true,
            content_id: Some((*id).into()),
            content_location: None,
        })
        .collect();
    let embedded = clean.take_embedded();
    let pictures =
        Pictures::find(&clean.sources, embedded, &Names::of(&files), |_| Ok(PNG.to_vec())).unwrap();
    clean.dress(&pictures)
}

/// The HTML with each class replaced by its declarations, which are what matters.
fn looks(html: &str) -> String {
    let Dressed { mut html, style, .. } = dressed(html);
    for rule in style.lines().rev() {
        let (class, css) = rule.trim_start_matches('.').trim_end_matches('}').split_once('{').unwrap();
        html = html.replace(&format!("class=\"{class}\""), &format!("[{}]", css.trim_end_matches(';')));
    }
    html.replace(" dir=\"auto\"", "")
}

#[test]
fn nothing_active_and_nothing_foreign_is_left() {
    let html = r#"<html><head><style>body{background:url(https://evil.example/1)} @import "https://evil.example/0";
        p{background:url(https://evil.example/9);position:fixed;behavior:url(x)}</style>
        <base href="https://evil.example/"><meta http-equiv="refresh" content="0;url=https://evil.example"></head>
        <body background="https://evil.example/2" onload="alert(1)"><p style="color:red;background:url(//evil.example)" class="x" id="y">Hallo</p>
        <script>alert(2)</script><svg onload="alert(3)"><a xlink:href="javascript:alert(4)">x</a></svg>
        <img src="https://evil.example/3"><img src="//evil.example/4"><img src="cid:logo@x" onerror="alert(5)">
        <img srcset="https://evil.example/5 1x" src="data:image/svg+xml,<svg onload=alert(6)>">
        <a href="javascript:alert(7)">a</a><a href=" jav&#x09;ascript:alert(8)">b</a><a href="/finish">c</a>
        <a href="//evil.example/x">d</a><a href="cid:x">e</a><a href="file:///c">f</a>
        <a href="https://voorbeeld.nl/">goed</a><iframe src="https://evil.example/6"></iframe>
        <form action="https://evil.example/7"><input name="p"><button>x</button></form>
        <object data="x"></object><embed src="x"><video src="https://evil.example/8"></video>
        <table bgcolor="red"><tr><td width="5">cel</td></tr></table>
        <math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(9)&gt;">"#;
    let dressed = dressed(html);
    let all = format!("{} {}", dressed.html, dressed.style);
    for bad in [
        "alert(1",
        "alert(2",
        "onload",
        "onerror=a",
        "script",
        "evil.example",
        "<form",
        "<input",
        "style=",
        "id=",
        "url(",
        "position",
        "behavior",
        "/finish",
        "file:",
        "class=\"x\"",
    ] {
        assert!(!all.contains(bad), "{bad} in {all}");
    }
    for tag in ["<svg", "<style", "<iframe", "<object", "<embed", "<video", "<base", "<meta", "<body"] {
        assert!(!all.contains(tag), "{tag} in {all}");
    }
    assert!(all.contains("Hallo</p>"), "{all}");
    assert!(all.contains(r#"src="data:image/png;base64,"#), "{all}");
    assert!(all.contains(r#"href="https://voorbeeld.nl/""#) && all.contains(r#"target="_blank""#), "{all}");
    assert!(dressed.has_remote);
    let bare = dressed.plain.replace(" dir=\"auto\"", "");
    assert!(!bare.contains('=') || bare.contains("alert(9)"), "{bare}");
}

#[test]
fn formatting_stays_where_it_was() {
    let html = r#"<P>a <B>b</B> <font color="red" onclick="x">c</font></P><base><i>open<p>d"#;
    assert_eq!(looks(html), r#"<p>a <b>b</b> <font [color:#ff0000]>c</font></p><i>open<p>d</p></i>"#);
    let text = "1 &lt;b&gt; 2 <!-- <b> --> <a href=\"https://x.nl/<b>\">y</a> <b";
    assert!(looks(text).starts_with("1 &lt;b&gt; 2  <a href=\"https://x.nl/"));
}

/// What Outlook and Apple Mail write when somebody answers in red and strikes out.
#[test]
fn style_that_means_something_survives() {
    for (html, expected) in [
        ("<span style='color:red'>a</span>", "<span [color:#ff0000]>a</span>"),
        (
            "<span style='text-decoration:line-through'>a</span>",
            "<span [text-decoration-line:line-through]>a</span>",
        ),
        (
            "<style><!-- p.MsoNormal{margin:0cm} span.x{color:#C00000} --></style><p class=MsoNormal><span class=x>a</span></p>",
            "<p [margin-bottom:0px;margin-left:0px;margin-right:0px;margin-top:0px]><span [color:#c00000]>a</span></p>",
        ),
        (
            "<style>.k td{font-weight:bold}</style><table class=k><tbody><tr><td>a</td></tr></tbody></table>",
            "<table><tbody><tr><td [font-weight:bold]>a</td></tr></tbody></table>",
        ),
        (
            "<style>p{color:red!important}.g{color:green}</style><p class=g style='color:blue'>a</p>",
            "<p [color:#ff0000]>a</p>",
        ),
        ("<style>.g{color:green}p{color:red}</style><p class=g>a</p>", "<p [color:#008000]>a</p>"),
        ("<style>@media screen{p{color:red}}</style><p>a</p>", "<p>a</p>"),
        ("<p style='font-weight:bold;position:absolute;top:0'>a</p>", "<p [font-weight:bold]>a</p>"),
    ] {
        assert_eq!(looks(html), expected, "{html}");
    }
}

#[test]
fn text_can_be_read_on_its_ground() {
    for (html, expected) in [
        // Both are named: as it was written.
        (
            "<p style='color:white;background:#003366'>a</p>",
            "<p [color:#ffffff;background-color:#003366]>a</p>",
        ),
        // The text has the colour of what is around, and it would not show.
        (
            "<table bgcolor=#000033><tbody><tr><td>a</td></tr></tbody></table>",
            "<table [color:#ffffff;background-color:#000033]><tbody><tr><td>a</td></tr></tbody></table>",
        ),
        // The ground was a picture, which is gone.
        ("<div style='background:url(x.png);color:#fff'>a</div>", "<div>a</div>"),
        (
            "<div style='background:url(x.png) #000;color:#fff'>a</div>",
            "<div [color:#ffffff;background-color:#000000]>a</div>",
        ),
        ("<font color=white>a</font>", "<font>a</font>"),
        // What was asked for holds again where it can be read.
        (
            "<div style='color:white'>a<p style='background:navy'>b</p></div>",
            "<div>a<p [color:#ffffff;background-color:#000080]>b</p></div>",
        ),
        // Inherited from two different elements.
        (
            "<div style='background:black;color:white'><p style='background:white'>a</p></div>",
            "<div [color:#ffffff;background-color:#000000]><p [color:#1d2733;background-color:#ffffff]>a</p></div>",
        ),
        // A link has its own colour, unless nobody can read it.
        (
            "<div style='background:#003366'><a href='https://x.nl/'>a</a></div>",
            "<div [color:#ffffff;background-color:#003366]><a href=\"https://x.nl/\" target=\"_blank\" [color:#ffffff] rel=\"noopener noreferrer nofollow\">a</a></div>",
        ),
        (
            "<body bgcolor=black text=white><p>a</p></body>",
            "<div [color:#ffffff;background-color:#000000]><p>a</p></div>",
        ),
        ("<p style='background:rgba(0,0,0,0)'>a</p>", "<p>a</p>"),
    ] {
        let normal =
            |html: &str| html.replace("<a [color:#ffffff] ", "<a ").replace(" [color:#ffffff] rel", " rel");
        assert_eq!(normal(&looks(html)), normal(expected), "{html}");
    }
}

#[test]
fn hidden_text_stays_hidden_unless_it_is_all() {
    let preheader = "<div style='display:none;max-height:0'>verborgen</div><p>zichtbaar</p>";
    assert_eq!(looks(preheader), "<div [display:none]>verborgen</div><p>zichtbaar</p>");
    assert!(!dressed(preheader).plain.contains("verborgen"));
    assert_eq!(looks("<p hidden>a</p><p>b"), "<p [display:none]>a</p><p>b</p>");
    assert_eq!(looks("<div style='display:none'>alles</div>&nbsp;"), "<div>alles</div>&nbsp;");
}

#[test]
fn a_line_tells_of_pictures_of_elsewhere() {
    for (html, is_told) in [
        ("<img src=https://x.nl/foto.jpg>a", true),
        ("<img src='//x.nl/foto.jpg' width=200>a", true),
        ("<img src=https://x.nl/p.gif width=1 height=1>a", false),
        ("<img src=https://x.nl/p.gif style='width:1px'>a", false),
        ("<div style='display:none'><img src=https://x.nl/foto.jpg></div>a", false),
        ("<img src=cid:logo@x><img src=CID:logo%40x>a", false),
        ("<img src=foto.jpg>a", false),
    ] {
        assert_eq!(dressed(html).has_remote, is_told, "{html}");
    }
}

#[test]
fn lists_and_links_stay_what_they_are() {
    let list = "<ol type=\"a\" start=\"3\"><li value=\"7\">een</li></ol>";
    assert_eq!(looks(list), list);
    assert!(looks("<a href=' WWW.voorbeeld.nl/x '>a</a>").contains("href=\"https://WWW.voorbeeld.nl/x\""));
    assert!(looks("<a href='HTTPS://voorbeeld.nl'>a</a>").contains("href=\"HTTPS://voorbeeld.nl\""));
}

#[test]
fn words_stand_for_a_picture_that_is_not_there() {
    let shown = looks("<img src=https://x.nl/foto.jpg alt='de stoep' width=300 height=200>");
    assert_eq!(shown, "<span>[de stoep]</span>");
    assert_eq!(looks("<img src=https://x.nl/foto.jpg alt=' '>a"), "a");
    let shown = looks("<img src=cid:logo@x width=300>");
    assert!(shown.starts_with("<img width=\"300\" src=\"data:image/png;"), "{shown}");
}

#[test]
fn text_runs_in_a_direction_of_its_own() {
    let html =
        dressed("<p>שלום</p><div dir=rtl><p>a</p></div><p style='direction:rtl'>b</p><span>c</span>").html;
    let expected =
        "<p dir=\"auto\">שלום</p><div dir=\"rtl\"><p>a</p></div><p class=\"z0\">b</p><span>c</span>";
    assert_eq!(html, expected);
}

/// For paper: all the words, what they mean, and nothing of the mail's own markup.
#[test]
fn a_plain_page_has_every_word() {
    let html = "<body bgcolor=red><p class=x onclick=y>een <span style='text-decoration:line-through'>twee</span> <b>drie</b>\
        <img src=cid:logo@x alt='het &lt;logo&gt;'><a href=https://x.nl>vier</a></p><table width=9><tbody><tr>\
        <td colspan=2 bgcolor=red style='font-weight:bold'>vijf</td><td rowspan='9x'>zes</td></tr></tbody></table>";
    let plain = dressed(html).plain.replace(" dir=\"auto\"", "");
    assert_eq!(
        plain,
        "<div><p>een <s>twee</s> <b>drie</b>[het &lt;logo&gt;]vier</p><table><tbody><tr><td colspan=\"2\"><b>vijf</b>\
         </td><td>zes</td></tr></tbody></table></div>"
    );
}

#[test]
fn hostile_html_stays_small() {
    let fonts: String = (0..3000).map(|n| format!("<font size={n}>")).collect();
    let html = format!("<p>{fonts}{}", "<p>x".repeat(3000));
    assert!(dressed(&html).html.len() < 6 * html.len());
    assert!(CleanHtml::of(&"<p>".repeat(MAX_TAGS + 1)).is_none());
    assert!(CleanHtml::of(&"x".repeat(MAX_HTML as usize + 1)).is_none());
}

#[test]
fn hostile_styles_are_bounded() {
    let start = std::time::Instant::now();
    let rules: String = (0..900).map(|n| format!("div p{{margin:{n}px;color:#{:06x}}}", n)).collect();
    let deep = format!("<style>{rules}</style>{}{}", "<div>".repeat(500), "<p>x".repeat(8000));
    dressed(&deep);
    let many: String = (0..9000).map(|n| format!("<p style='color:#{n:06x}'>x</p>")).collect();
    let many = dressed(&many);
    assert!(many.style.lines().count() <= 2000 && many.html.contains("x</p>"));
    let one: String = format!("<img src=\"data:image/png;base64,{}\">", "iVBORw0KGgoAAAAN".repeat(100_000));
    assert!(dressed(&one).html.len() > 1_000_000);
    assert!(start.elapsed() < std::time::Duration::from_secs(60));
}
