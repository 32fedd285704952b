//! People who do not exist: made from a seed and a number, always the same, without keeping any of them.

/// A member, as the members API lists them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub id: u64,
    pub email: String,
    pub given: String,
    pub family: String,
    /// In the order that their culture writes names.
    pub name: String,
    /// `en-US`.
    pub locale: &'static str,
    /// An abbreviation, not an IANA name: `EDT`.
    pub time_zone: &'static str,
    pub verified: bool,
    /// Seconds since 1970; when they were verified.
    pub verified_time: Option<i64>,
}

/// Names that go together, where they are common, and how they are written in an address.
struct Culture {
    locale: &'static str,
    zones: [&'static str; 2],
    family_first: bool,
    given: [&'static str; 10],
    family: [&'static str; 10],
}

#[rustfmt::skip]
const CULTURES: [Culture; 20] = [
    Culture { locale: "en-US", zones: ["EDT", "PDT"], family_first: false,
        given: ["Grace", "Marcus", "Olivia", "Ethan", "Hannah", "Caleb", "Naomi", "Wesley", "Audrey", "Dominic"],
        family: ["Whitfield", "Brooks", "Callahan", "Delgado", "Ellison", "Freeman", "Hargrove", "Lawson", "Mercer", "O'Neil"] },
    Culture { locale: "en-GB", zones: ["BST", "GMT"], family_first: false,
        given: ["Imogen", "Rupert", "Beatrix", "Callum", "Freya", "Alistair", "Poppy", "Gareth", "Elspeth", "Rhys"],
        family: ["Ashworth", "Blackwood", "Cartwright", "Davies", "Eastwood", "Fairbairn", "Gillespie", "Hathaway", "Kingsley-Moore", "Pritchard"] },
    Culture { locale: "fr-FR", zones: ["CEST", "CET"], family_first: false,
        given: ["Chloé", "Étienne", "Inès", "Baptiste", "Océane", "Rémi", "Maëlys", "Théo", "Aurélie", "Jean-Luc"],
        family: ["Lefèvre", "Moreau", "Garnier", "Chevalier", "Fontaine", "Girard", "Roussel", "Bérenger", "Delacroix", "d'Aubigné"] },
    Culture { locale: "de-DE", zones: ["CEST", "CET"], family_first: false,
        given: ["Jürgen", "Annika", "Lukas", "Mareike", "Sören", "Käthe", "Florian", "Wiebke", "Tobias", "Ulrike"],
        family: ["Müller", "Schäfer", "Köhler", "Baumgärtner", "von Reuß", "Größmann", "Vogel", "Winkler", "Zimmermann", "Lüdecke"] },
    Culture { locale: "es-MX", zones: ["CST", "MST"], family_first: false,
        given: ["Ximena", "Joaquín", "Lucía", "Emiliano", "Renata", "Andrés", "Itzel", "Rodrigo", "Begoña", "Íñigo"],
        family: ["Núñez", "Gutiérrez", "Ibáñez", "Cárdenas", "Peña", "Villaseñor", "Ortega", "Zúñiga", "Marín", "de la Cruz"] },
    Culture { locale: "pt-BR", zones: ["BRT", "AMT"], family_first: false,
        given: ["João", "Conceição", "Thiago", "Luísa", "Otávio", "Beatriz", "Inácio", "Manuela", "Antônia", "Gonçalo"],
        family: ["Araújo", "Magalhães", "Simões", "Figueiredo", "Assunção", "Teixeira", "Brandão", "Queirós", "Falcão", "dos Anjos"] },
    Culture { locale: "pl-PL", zones: ["CEST", "CET"], family_first: false,
        given: ["Łukasz", "Małgorzata", "Zbigniew", "Agnieszka", "Paweł", "Żaneta", "Grzegorz", "Bogumiła", "Michał", "Świętosława"],
        family: ["Wójcik", "Kowalczyk", "Dąbrowski", "Zieliński", "Szymańska", "Woźniak", "Kozłowski", "Jabłoński", "Grabowska", "Ciesielski"] },
    Culture { locale: "sv-SE", zones: ["CEST", "CET"], family_first: false,
        given: ["Åsa", "Björn", "Linnéa", "Göran", "Märta", "Torbjörn", "Saga", "Östen", "Ylva", "Håkan"],
        family: ["Öberg", "Sjöström", "Lindqvist", "Åkesson", "Nyström", "Bergman", "Hägglund", "Sandberg", "Ekström", "Wallin"] },
    Culture { locale: "tr-TR", zones: ["TRT", "TRT"], family_first: false,
        given: ["Ayşe", "Çağlar", "Gülşen", "Oğuz", "Şule", "İlker", "Zeynep", "Yiğit", "Ebru", "Tuğba"],
        family: ["Yıldız", "Çelik", "Öztürk", "Şahin", "Aydın", "Kılıç", "Doğan", "Güneş", "Ünal", "Koç"] },
    Culture { locale: "el-GR", zones: ["EEST", "EET"], family_first: false,
        given: ["Ελένη", "Νίκος", "Σοφία", "Γιώργος", "Μαρία", "Δημήτρης", "Κατερίνα", "Παύλος", "Ιωάννα", "Θάνος"],
        family: ["Παπαδάκης", "Γεωργίου", "Νικολάου", "Κωνσταντίνου", "Αντωνίου", "Ιωαννίδης", "Βασιλείου", "Μακρής", "Δημητρίου", "Αγγέλου"] },
    Culture { locale: "uk-UA", zones: ["EEST", "EET"], family_first: false,
        given: ["Оксана", "Тарас", "Ірина", "Богдан", "Соломія", "Андрій", "Дарина", "Мирослав", "Леся", "Юрій"],
        family: ["Шевченко", "Бондаренко", "Коваль", "Ткачук", "Кравець", "Мельник", "Гончар", "Савчук", "Руденко", "Вербицька"] },
    Culture { locale: "ar-EG", zones: ["EEST", "EET"], family_first: false,
        given: ["ليلى", "عمر", "فاطمة", "يوسف", "نور", "خالد", "سلمى", "طارق", "هدى", "مروان"],
        family: ["حداد", "المصري", "نجار", "منصور", "سالم", "خليل", "فارس", "عزيز", "شاهين", "قاسم"] },
    Culture { locale: "he-IL", zones: ["IDT", "IST"], family_first: false,
        given: ["תמר", "אורי", "נועה", "איתן", "יעל", "גיל", "שירה", "עמית", "מיכל", "רון"],
        family: ["לוי", "כהן", "מזרחי", "פרץ", "ביטון", "אברהם", "פרידמן", "שפירא", "גולן", "ברק"] },
    Culture { locale: "hi-IN", zones: ["IST", "IST"], family_first: false,
        given: ["आराध्या", "विवान", "प्रिया", "रोहन", "दीपिका", "अर्जुन", "मीरा", "कबीर", "सुनीता", "राहुल"],
        family: ["शर्मा", "पटेल", "वर्मा", "सिंह", "गुप्ता", "मेहता", "जोशी", "चौहान", "त्रिपाठी", "कुलकर्णी"] },
    Culture { locale: "zh-CN", zones: ["CST", "CST"], family_first: true,
        given: ["秀英", "伟", "芳芳", "建国", "雨桐", "子轩", "丽华", "志强", "思远", "晓梅"],
        family: ["王", "李", "张", "刘", "陈", "杨", "赵", "欧阳", "周", "吴"] },
    Culture { locale: "ja-JP", zones: ["JST", "JST"], family_first: true,
        given: ["さくら", "健太", "陽子", "翔", "美咲", "大輔", "結衣", "直樹", "花子", "蓮"],
        family: ["佐藤", "鈴木", "高橋", "田中", "渡辺", "伊藤", "山本", "中村", "小林", "長谷川"] },
    Culture { locale: "ko-KR", zones: ["KST", "KST"], family_first: true,
        given: ["지우", "민준", "서연", "도윤", "하은", "예준", "수아", "시우", "유진", "현우"],
        family: ["김", "이", "박", "최", "정", "강", "조", "윤", "장", "남궁"] },
    Culture { locale: "vi-VN", zones: ["ICT", "ICT"], family_first: true,
        given: ["Thị Hồng", "Minh Đức", "Thu Hà", "Quốc Bảo", "Ngọc Ánh", "Văn Dũng", "Phương Thảo", "Gia Huy", "Mỹ Duyên", "Hoàng Long"],
        family: ["Nguyễn", "Trần", "Lê", "Phạm", "Huỳnh", "Vũ", "Đặng", "Bùi", "Đỗ", "Ngô"] },
    Culture { locale: "en-NG", zones: ["WAT", "WAT"], family_first: false,
        given: ["Adaeze", "Oluwaseun", "Chidinma", "Babajide", "Ngozi", "Emeka", "Folasade", "Tunde", "Zainab", "Ikechukwu"],
        family: ["Okafor", "Adeyemi", "Nwosu", "Balogun", "Eze", "Olawale", "Abubakar", "Onyekachi", "Danjuma", "Ogunleye"] },
    Culture { locale: "en-NZ", zones: ["NZST", "NZDT"], family_first: false,
        given: ["Aroha", "Wiremu", "Ngaio", "Tāne", "Mārama", "Rāwiri", "Hinemoa", "Tamati", "Kahurangi", "Anahera"],
        family: ["Parata", "Ngata", "Tūhoe", "Rangihau", "Te Whiti", "Pōtatau", "Hēnare", "Kawana", "Mahuta", "Waititi"] },
];

/// How names of other scripts are written in an address: by culture, given names and family names in the order above.
#[rustfmt::skip]
const SPELLED: [(&str, [&str; 10], [&str; 10]); 7] = [
    ("el-GR", ["eleni", "nikos", "sofia", "giorgos", "maria", "dimitris", "katerina", "pavlos", "ioanna", "thanos"],
        ["papadakis", "georgiou", "nikolaou", "konstantinou", "antoniou", "ioannidis", "vasileiou", "makris", "dimitriou", "angelou"]),
    ("uk-UA", ["oksana", "taras", "iryna", "bohdan", "solomiia", "andrii", "daryna", "myroslav", "lesia", "yurii"],
        ["shevchenko", "bondarenko", "koval", "tkachuk", "kravets", "melnyk", "honchar", "savchuk", "rudenko", "verbytska"]),
    ("ar-EG", ["layla", "omar", "fatima", "youssef", "nour", "khaled", "salma", "tarek", "hoda", "marwan"],
        ["haddad", "elmasry", "naggar", "mansour", "salem", "khalil", "fares", "aziz", "shaheen", "kassem"]),
    ("he-IL", ["tamar", "ori", "noa", "eitan", "yael", "gil", "shira", "amit", "michal", "ron"],
        ["levi", "cohen", "mizrahi", "peretz", "biton", "avraham", "friedman", "shapira", "golan", "barak"]),
    ("hi-IN", ["aaradhya", "vivaan", "priya", "rohan", "deepika", "arjun", "meera", "kabir", "sunita", "rahul"],
        ["sharma", "patel", "verma", "singh", "gupta", "mehta", "joshi", "chauhan", "tripathi", "kulkarni"]),
    ("zh-CN", ["xiuying", "wei", "fangfang", "jianguo", "yutong", "zixuan", "lihua", "zhiqiang", "siyuan", "xiaomei"],
        ["wang", "li", "zhang", "liu", "chen", "yang", "zhao", "ouyang", "zhou", "wu"]),
    ("ja-JP", ["sakura", "kenta", "yoko", "sho", "misaki", "daisuke", "yui", "naoki", "hanako", "ren"],
        ["sato", "suzuki", "takahashi", "tanaka", "watanabe", "ito", "yamamoto", "nakamura", "kobayashi", "hasegawa"]),
];
const SPELLED_KO: ([&str; 10], [&str; 10]) = (
    ["jiwoo", "minjun", "seoyeon", "doyun", "haeun", "yejun", "sua", "siwoo", "yujin", "hyunwoo"],
    ["kim", "lee", "park", "choi", "jung", "kang", "cho", "yoon", "jang", "namgung"],
);

const NAMES: u64 = 10;
/// Different full names.
const FULL_NAMES: u64 = CULTURES.len() as u64 * NAMES * NAMES;
/// The first identifier. Real ones are integers, too.
const FIRST_ID: u64 = 40_001;
/// 2025-01-01.
const EPOCH: i64 = 1_735_689_600;

/// A well-mixed number (splitmix64).
pub fn mix(seed: u64, n: u64) -> u64 {
    let mut z = seed.wrapping_add(n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

pub fn id(index: u64) -> u64 {
    FIRST_ID + index
}

pub fn index(id: u64) -> Option<u64> {
    id.checked_sub(FIRST_ID)
}

/// The `index`th person. `renamed` counts how often they changed their family name; `flipped`, whether they are verified otherwise than at first.
pub fn person(seed: u64, index: u64, renamed: u64, flipped: bool) -> Person {
    // The multiplier has no factor in common with the number of full names, so that the first so many people all have different ones.
    let pick = index.wrapping_mul(7919).wrapping_add(mix(seed, u64::MAX) % FULL_NAMES) % FULL_NAMES;
    let culture_at = usize::try_from(pick % CULTURES.len() as u64).unwrap_or(0);
    let culture = &CULTURES[culture_at];
    let place = |n: u64| usize::try_from(n % NAMES).unwrap_or(0);
    let (given, family) = (place(pick / CULTURES.len() as u64), place(pick / CULTURES.len() as u64 / NAMES));
    let (given_spelled, family_spelled) = spelled(culture, given, family);
    // An address outlives a change of name.
    let again = index / FULL_NAMES;
    let number = if again == 0 { String::new() } else { (again + 1).to_string() };
    let email = format!("{given_spelled}.{family_spelled}{number}@practice.example");
    let family = culture.family[place(family as u64 + renamed)].to_owned();
    let given = culture.given[given].to_owned();
    let name = match (culture.family_first, culture.locale) {
        (true, "vi-VN") => format!("{family} {given}"),
        (true, _) => format!("{family}{given}"),
        (false, _) => format!("{given} {family}"),
    };
    let dice = mix(seed, index);
    let verified = !dice.is_multiple_of(5) ^ flipped;
    let verified_time = verified.then(|| EPOCH + i64::try_from(dice >> 8).unwrap_or(0) % 25_000_000);
    let zone = culture.zones[usize::from(dice >> 60 > 8)];
    Person { id: id(index), email, given, family, name, locale: culture.locale, time_zone: zone, verified, verified_time }
}

fn spelled(culture: &Culture, given: usize, family: usize) -> (String, String) {
    if culture.locale == "ko-KR" {
        return (SPELLED_KO.0[given].to_owned(), SPELLED_KO.1[family].to_owned());
    }
    if let Some((_, givens, families)) = SPELLED.iter().find(|(locale, ..)| *locale == culture.locale) {
        return (givens[given].to_owned(), families[family].to_owned());
    }
    (plain(culture.given[given]), plain(culture.family[family]))
}

/// Latin letters without their marks, in lower case; what is no letter is left out.
fn plain(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars().flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '-' => out.push(c),
            'à'..='å' | 'ā' | 'ă' | 'ą' | 'ạ'..='ặ' => out.push('a'),
            'æ' => out.push_str("ae"),
            'ç' | 'ć' => out.push('c'),
            'đ' => out.push('d'),
            'è'..='ë' | 'ē' | 'ę' | 'ẹ'..='ệ' => out.push('e'),
            'ğ' => out.push('g'),
            'ì'..='ï' | 'ī' | 'ı' | 'ỉ' | 'ị' => out.push('i'),
            'ł' => out.push('l'),
            'ñ' | 'ń' => out.push('n'),
            'ò'..='ö' | 'ø' | 'ō' | 'ơ' | 'ọ'..='ợ' => out.push('o'),
            'ś' | 'ş' => out.push('s'),
            'ß' => out.push_str("ss"),
            'ù'..='ü' | 'ū' | 'ũ' | 'ư' | 'ụ'..='ự' => out.push('u'),
            'ý' | 'ỳ'..='ỹ' => out.push('y'),
            'ż' | 'ź' => out.push('z'),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn people_are_varied_and_always_the_same() {
        let all: Vec<Person> = (0..250).map(|i| person(1, i, 0, false)).collect();
        assert_eq!(all, (0..250).map(|i| person(1, i, 0, false)).collect::<Vec<_>>());
        assert_ne!(all[0], person(2, 0, 0, false));
        assert_eq!(all.iter().map(|p| p.locale).collect::<HashSet<_>>().len(), CULTURES.len());
        let verified = all.iter().filter(|p| p.verified).count();
        assert!((150..230).contains(&verified), "{verified}");
        assert!(all.iter().all(|p| p.verified == p.verified_time.is_some()));
    }

    #[test]
    fn addresses_are_plain_and_different() {
        let mut seen = HashSet::new();
        for i in 0..3 * FULL_NAMES {
            let person = person(7, i, 0, false);
            let (local, _) = person.email.split_once('@').unwrap();
            assert!(local.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-'), "{}", person.email);
            assert!(local.split('.').all(|part| part.len() >= 2), "{} of {}", person.email, person.name);
            assert!(seen.insert(person.email.clone()), "{}", person.email);
        }
    }

    #[test]
    fn a_new_name_leaves_the_address() {
        let (before, after) = (person(1, 3, 0, false), person(1, 3, 1, true));
        assert_ne!(before.name, after.name);
        assert_eq!((before.id, &before.email), (after.id, &after.email));
        assert_ne!(before.verified, after.verified);
        assert_eq!(index(before.id), Some(3));
    }
}
