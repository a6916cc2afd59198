//! The layouts, each a picture in numbers: a line a box. Whoever moves something prints it and looks at it.

use super::layout::{
    About, Align, Area, CodeBox, Face, Grid, Ink, Layout, Mm, Patch, Printer, Say, Size, TextBox,
};
use crate::domain::store::TouchpointKind;

pub fn all() -> &'static [Layout] {
    &[
        LABEL_50X50,
        LABEL_60X40,
        LABEL_40X30,
        A4_2X4,
        A4_3X8,
        TENT_A6,
        STAND_A5,
        DOOR_A4,
        ROLL_UP,
        RECEIPT_58,
        RECEIPT_80,
    ]
}

/// The table sticker.
#[rustfmt::skip]
const LABEL_50X50: Layout = Layout {
    name: "label-50x50",
    about: about("标签打印机的桌贴，50 x 50 毫米", "the table sticker of a label printer, 50 x 50 mm"),
    code: code(6.5, 7.0, 8),
    patches: &[patch(2.0, 1.2, 46.0, 5.7, 1.2, Ink::Black)],
    texts: &[
        text(Say::Place, area(3.4, 1.2, 16.0, 5.7), 5.2).bold().lines(2).left().ink(Ink::White),
        text(Say::Store, area(20.0, 1.2, 26.4, 5.7), 2.6).right().ink(Ink::White),
        text(Say::Promise, area(2.6, 44.0, 22.4, 2.8), 2.8).bold().left(),
        text(Say::PromiseToo, area(25.4, 44.0, 22.0, 2.8), 2.2).right(),
        text(Say::Address, area(2.6, 47.0, 32.0, 2.0), 1.9).left(),
        text(Say::Version, area(35.0, 47.0, 12.4, 2.0), 1.6).right(),
    ],
    ..label(50.0, 50.0)
};

#[rustfmt::skip]
const LABEL_60X40: Layout = Layout {
    name: "label-60x40",
    about: about("同上，文字在旁，60 x 40 毫米", "the same with its words at the side, 60 x 40 mm"),
    code: code(2.0, 3.75, 7),
    patches: &[patch(35.6, 3.4, 22.2, 8.2, 1.4, Ink::Black)],
    texts: &[
        text(Say::Place, area(36.4, 3.4, 20.6, 8.2), 6.4).bold().lines(2).ink(Ink::White),
        text(Say::Store, area(35.6, 12.5, 22.2, 4.7), 2.1).lines(2).left(),
        text(Say::Promise, area(35.6, 18.2, 22.2, 8.2), 3.7).bold().lines(2).left(),
        text(Say::PromiseToo, area(35.6, 26.9, 22.2, 2.8), 2.3).left(),
        text(Say::Address, area(35.6, 31.6, 22.2, 2.4), 1.9).left(),
        text(Say::Version, area(35.6, 34.1, 22.2, 2.2), 1.6).left(),
    ],
    ..label(60.0, 40.0)
};

#[rustfmt::skip]
const LABEL_40X30: Layout = Layout {
    name: "label-40x30",
    about: about("近距离扫的小标签，40 x 30 毫米", "a small label to read at arm's length, 40 x 30 mm"),
    code: code(1.0, 3.5, 5),
    patches: &[patch(24.6, 2.6, 14.0, 6.4, 1.0, Ink::Black)],
    texts: &[
        text(Say::Place, area(25.2, 2.6, 12.8, 6.4), 5.2).bold().lines(2).ink(Ink::White),
        text(Say::Promise, area(24.6, 9.9, 14.0, 6.9), 3.1).bold().lines(2).left(),
        text(Say::PromiseToo, area(24.6, 17.2, 14.0, 2.4), 1.9).left(),
        text(Say::Address, area(24.6, 20.6, 14.0, 3.8), 1.65).lines(2).left(),
        text(Say::Version, area(24.6, 25.2, 14.0, 1.9), 1.5).left(),
    ],
    ..label(40.0, 30.0)
};

/// The sheet that is sold as "8 labels a page, 99.1 x 67.7 mm"; plain paper is cut along the marks.
#[rustfmt::skip]
const A4_2X4: Layout = Layout {
    name: "a4-2x4",
    about: about("A4 纸 8 张桌卡，99.1 x 67.7 毫米，可贴可裁", "8 table cards on A4, 99.1 x 67.7 mm, to stick or to cut"),
    code: code(5.0, 11.1, 29).with_logo(),
    patches: &[patch(53.5, 44.6, 40.0, 11.6, 2.0, Ink::Brand)],
    texts: &[
        text(Say::Store, area(53.5, 10.6, 40.0, 8.4), 3.4).title().lines(2).left().ink(Ink::Brand),
        text(Say::Promise, area(53.5, 19.8, 40.0, 17.6), 7.4).bold().lines(2).left(),
        text(Say::PromiseToo, area(53.5, 38.2, 40.0, 4.6), 3.2).left().ink(Ink::Grey),
        text(Say::Caption, area(56.0, 44.6, 14.0, 11.6), 2.9).left().ink(Ink::OnBrand),
        text(Say::Place, area(70.0, 44.6, 21.0, 11.6), 7.6).bold().lines(2).right().ink(Ink::OnBrand),
        text(Say::Address, area(5.0, 57.6, 45.4, 3.4), 2.7).ink(Ink::Grey),
        text(Say::Version, area(53.5, 57.6, 40.0, 3.4), 1.9).right().ink(Ink::Grey),
    ],
    ..a4_labels(2, 4, 99.1, 67.7)
};

/// "24 labels a page, 63.5 x 33.9 mm".
#[rustfmt::skip]
const A4_3X8: Layout = Layout {
    name: "a4-3x8",
    about: about("A4 纸 24 张小贴纸，63.5 x 33.9 毫米", "24 small stickers on A4, 63.5 x 33.9 mm"),
    code: code(2.0, 2.85, 18).with_logo(),
    patches: &[patch(31.4, 20.8, 29.6, 6.6, 1.2, Ink::Brand)],
    texts: &[
        text(Say::Store, area(31.4, 3.4, 29.6, 3.2), 2.3).title().left().ink(Ink::Brand),
        text(Say::Promise, area(31.4, 7.3, 29.6, 9.6), 4.2).bold().lines(2).left(),
        text(Say::PromiseToo, area(31.4, 17.4, 29.6, 2.8), 2.1).left().ink(Ink::Grey),
        text(Say::Caption, area(32.8, 20.8, 9.0, 6.6), 2.1).left().ink(Ink::OnBrand),
        text(Say::Place, area(42.0, 20.8, 17.6, 6.6), 5.0).bold().lines(2).right().ink(Ink::OnBrand),
        text(Say::Address, area(31.4, 28.0, 21.4, 2.5), 1.8).left().ink(Ink::Grey),
        text(Say::Version, area(52.8, 28.0, 8.2, 2.5), 1.6).right().ink(Ink::Grey),
    ],
    ..a4_labels(3, 8, 63.5, 33.9)
};

/// Two tents on A4: cut in the middle, folded across.
#[rustfmt::skip]
const TENT_A6: Layout = Layout {
    name: "tent-a6",
    about: about("A4 纸 2 个桌面立牌，正反两面 A6；0.6 米内可扫", "2 table tents on A4, each with two A6 faces; read from 0.6 m"),
    page: A4,
    grid: Grid {
        columns: 2,
        rows: 1,
        left: 0.0,
        top: 0.0,
        across: 105.0,
        down: 0.0,
        has_marks: true,
    },
    face: Size { width: 105.0, height: 148.5 },
    is_tent: true,
    code: code(22.75, 57.0, 38).with_logo(),
    patches: &[patch(8.0, 9.0, 89.0, 45.0, 4.0, Ink::Brand)],
    texts: &[
        text(Say::Store, area(13.0, 13.5, 79.0, 7.0), 4.8).title().ink(Ink::OnBrand),
        text(Say::Promise, area(12.0, 21.5, 81.0, 14.0), 10.8).bold().ink(Ink::OnBrand),
        text(Say::PromiseToo, area(13.0, 36.3, 79.0, 6.0), 4.6).ink(Ink::OnBrand),
        text(Say::Ease, area(13.0, 44.6, 79.0, 5.0), 3.4).ink(Ink::OnBrand),
        text(Say::Caption, area(12.0, 117.6, 81.0, 4.4), 3.3).ink(Ink::Grey),
        text(Say::Place, area(12.0, 122.0, 81.0, 11.6), 10.4).bold().lines(2).ink(Ink::Brand),
        text(Say::Address, area(12.0, 135.2, 81.0, 4.0), 3.1).ink(Ink::Grey),
        text(Say::Version, area(12.0, 139.6, 81.0, 2.8), 1.9).ink(Ink::Grey),
    ],
    ..poster(105.0, 148.5)
};

#[rustfmt::skip]
const STAND_A5: Layout = Layout {
    name: "stand-a5",
    about: about("台面立牌插页，A5；0.8 米内可扫", "a card for a stand on the counter, A5; read from 0.8 m"),
    code: code(34.0, 76.5, 51).with_logo(),
    patches: &[patch(10.0, 10.0, 128.0, 63.0, 5.0, Ink::Brand)],
    texts: &[
        text(Say::Store, area(16.0, 16.5, 116.0, 9.5), 6.6).title().ink(Ink::OnBrand),
        text(Say::Promise, area(16.0, 28.0, 116.0, 19.0), 15.4).bold().ink(Ink::OnBrand),
        text(Say::PromiseToo, area(16.0, 49.0, 116.0, 8.4), 6.4).ink(Ink::OnBrand),
        text(Say::Ease, area(16.0, 60.6, 116.0, 6.6), 4.6).ink(Ink::OnBrand),
        text(Say::Caption, area(16.0, 158.0, 116.0, 5.6), 4.3).ink(Ink::Grey),
        text(Say::Place, area(16.0, 164.0, 116.0, 16.0), 14.0).bold().lines(2).ink(Ink::Brand),
        text(Say::Address, area(16.0, 184.0, 116.0, 6.0), 4.4).ink(Ink::Grey),
        text(Say::Version, area(16.0, 194.0, 116.0, 4.0), 2.4).ink(Ink::Grey),
    ],
    ..poster(148.0, 210.0)
};

#[rustfmt::skip]
const DOOR_A4: Layout = Layout {
    name: "door-a4",
    about: about("门口海报，A4；1.5 米内可扫", "a poster for the door, A4; read from 1.5 m"),
    code: code(29.8, 97.0, 96).with_logo(),
    patches: &[patch(12.0, 12.0, 186.0, 82.0, 7.0, Ink::Brand)],
    texts: &[
        text(Say::Store, area(20.0, 19.0, 170.0, 13.0), 9.4).title().ink(Ink::OnBrand),
        text(Say::Promise, area(20.0, 34.5, 170.0, 28.0), 22.6).bold().ink(Ink::OnBrand),
        text(Say::PromiseToo, area(20.0, 64.5, 170.0, 11.0), 9.0).ink(Ink::OnBrand),
        text(Say::Ease, area(20.0, 79.0, 170.0, 9.0), 6.4).ink(Ink::OnBrand),
        text(Say::Address, area(20.0, 249.0, 170.0, 9.0), 7.0).ink(Ink::Grey),
        text(Say::Table, area(20.0, 260.0, 170.0, 16.0), 13.0).bold().lines(2).ink(Ink::Brand),
        text(Say::Version, area(20.0, 280.0, 170.0, 4.0), 2.8).ink(Ink::Grey),
    ],
    meant_for: &[TouchpointKind::Door],
    ..poster(210.0, 297.0)
};

/// The code is at the height of a standing guest's hand: 0.9 to 1.3 m above the floor.
#[rustfmt::skip]
const ROLL_UP: Layout = Layout {
    name: "roll-up",
    about: about("易拉宝，0.8 x 2 米，由图文店制作；3.5 米内可扫", "a roll-up for the street, 0.8 x 2 m, for a print shop; read from 3.5 m"),
    printer: Printer::Large,
    code: code(221.0, 721.0, 38).with_logo(),
    patches: &[
        patch(0.0, 0.0, 800.0, 2000.0, 0.0, Ink::Brand),
        patch(189.0, 689.0, 422.0, 422.0, 26.0, Ink::White),
    ],
    texts: &[
        text(Say::Store, area(60.0, 80.0, 680.0, 66.0), 54.0).title().ink(Ink::OnBrand),
        text(Say::StoreToo, area(60.0, 148.0, 680.0, 44.0), 30.0).ink(Ink::OnBrand),
        text(Say::Promise, area(40.0, 215.0, 720.0, 350.0), 152.0).bold().lines(2).ink(Ink::OnBrand),
        text(Say::PromiseToo, area(60.0, 575.0, 680.0, 70.0), 44.0).ink(Ink::OnBrand),
        text(Say::Ease, area(60.0, 1150.0, 680.0, 64.0), 46.0).bold().ink(Ink::OnBrand),
        text(Say::EaseToo, area(60.0, 1216.0, 680.0, 46.0), 30.0).ink(Ink::OnBrand),
        text(Say::Address, area(60.0, 1300.0, 680.0, 56.0), 40.0).ink(Ink::OnBrand),
        text(Say::Table, area(60.0, 1380.0, 680.0, 100.0), 72.0).bold().lines(2).ink(Ink::OnBrand),
        text(Say::Version, area(60.0, 1900.0, 680.0, 24.0), 11.0).ink(Ink::OnBrand),
    ],
    meant_for: &[TouchpointKind::Door],
    ..poster(800.0, 2000.0)
};

/// The paper is wider than its printer's head, which has 384 dots: the page is what the head prints.
#[rustfmt::skip]
const RECEIPT_58: Layout = Layout {
    name: "receipt-58",
    about: about("58 毫米小票机的小票，384 点", "a slip of a receipt printer with 58 mm paper, 384 dots"),
    code: code(5.5, 20.0, 8),
    patches: &[patch(0.0, 8.4, 48.0, 0.375, 0.0, Ink::Black)],
    texts: &[
        text(Say::Store, area(1.0, 2.0, 46.0, 5.4), 3.4).bold(),
        text(Say::Promise, area(1.0, 9.8, 46.0, 6.4), 5.8).bold(),
        text(Say::PromiseToo, area(1.0, 16.4, 46.0, 3.6), 2.8),
        text(Say::Address, area(1.0, 57.0, 46.0, 3.2), 2.8),
        text(Say::Ease, area(1.0, 60.6, 46.0, 3.2), 2.6),
        text(Say::Table, area(1.0, 64.4, 46.0, 6.6), 5.4).bold().lines(2),
        text(Say::Version, area(1.0, 71.6, 46.0, 2.4), 1.8),
    ],
    meant_for: &[TouchpointKind::Receipt],
    ..label(48.0, 76.0)
};

#[rustfmt::skip]
const RECEIPT_80: Layout = Layout {
    name: "receipt-80",
    about: about("80 毫米小票机的小票，576 点", "the same with 80 mm paper, 576 dots"),
    code: code(8.25, 28.0, 12),
    patches: &[patch(0.0, 11.75, 72.0, 0.5, 0.0, Ink::Black)],
    texts: &[
        text(Say::Store, area(1.0, 2.5, 70.0, 8.0), 5.0).bold(),
        text(Say::Promise, area(1.0, 13.6, 70.0, 9.0), 8.6).bold(),
        text(Say::PromiseToo, area(1.0, 22.8, 70.0, 5.2), 4.2),
        text(Say::Address, area(1.0, 83.6, 70.0, 4.8), 4.0),
        text(Say::Ease, area(1.0, 88.8, 70.0, 4.6), 3.7),
        text(Say::Table, area(1.0, 94.0, 70.0, 9.4), 7.6).bold().lines(2),
        text(Say::Version, area(1.0, 104.0, 70.0, 3.0), 2.2),
    ],
    meant_for: &[TouchpointKind::Receipt],
    ..label(72.0, 110.0)
};

const A4: Size = Size {
    width: 210.0,
    height: 297.0,
};

/// One sticker of a label printer, which cuts or peels it itself.
const fn label(width: Mm, height: Mm) -> Layout {
    Layout {
        name: "",
        about: about("", ""),
        page: Size { width, height },
        printer: Printer::Thermal,
        grid: Grid::ONE,
        face: Size { width, height },
        is_tent: false,
        code: code(0.0, 0.0, 1),
        patches: &[],
        texts: &[],
        meant_for: &[],
    }
}

/// One sheet of paper.
const fn poster(width: Mm, height: Mm) -> Layout {
    Layout {
        printer: Printer::Office,
        ..label(width, height)
    }
}

/// Stickers on A4 as the trade sells them: 2.5 mm between columns, none between rows, all in the middle.
const fn a4_labels(columns: u8, rows: u8, width: Mm, height: Mm) -> Layout {
    let across = width + 2.5;
    Layout {
        page: A4,
        grid: Grid {
            columns,
            rows,
            left: (A4.width - across * columns as f32 + 2.5) / 2.0,
            top: (A4.height - height * rows as f32) / 2.0,
            across,
            down: height,
            has_marks: true,
        },
        ..poster(width, height)
    }
}

const fn area(left: Mm, top: Mm, width: Mm, height: Mm) -> Area {
    Area::new(left, top, width, height)
}

const fn code(left: Mm, top: Mm, dots: u16) -> CodeBox {
    CodeBox {
        left,
        top,
        dots,
        takes_logo: false,
    }
}

impl CodeBox {
    const fn with_logo(self) -> Self {
        Self {
            takes_logo: true,
            ..self
        }
    }
}

const fn patch(left: Mm, top: Mm, width: Mm, height: Mm, corner: Mm, ink: Ink) -> Patch {
    Patch {
        area: area(left, top, width, height),
        corner,
        ink,
    }
}

const fn text(say: Say, area: Area, size: Mm) -> TextBox {
    TextBox {
        say,
        area,
        size,
        lines: 1,
        face: Face::Regular,
        align: Align::Middle,
        ink: Ink::Black,
    }
}

impl TextBox {
    const fn bold(self) -> Self {
        Self {
            face: Face::Bold,
            ..self
        }
    }

    const fn title(self) -> Self {
        Self {
            face: Face::Title,
            ..self
        }
    }

    const fn left(self) -> Self {
        Self {
            align: Align::Left,
            ..self
        }
    }

    const fn right(self) -> Self {
        Self {
            align: Align::Right,
            ..self
        }
    }

    const fn lines(self, lines: usize) -> Self {
        Self { lines, ..self }
    }

    const fn ink(self, ink: Ink) -> Self {
        Self { ink, ..self }
    }
}

const fn about(zh: &'static str, en: &'static str) -> About {
    About { zh, en }
}
