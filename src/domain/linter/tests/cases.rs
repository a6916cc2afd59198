//! What each rule is about, in both languages, and the nearest thing that it is not about.

/// Titles that are refused, by the rule that does it.
pub(super) const REFUSED: &[(&str, &[&str])] = &[
    (
        "F01",
        &[
            "帮忙刷单",
            "五星好评送可乐",
            "送可乐一罐，需好评",
            "Fake reviews welcome",
            "A 5-star review and you get a coke",
            "A free coke for a 5-star review",
        ],
    ),
    (
        "R01",
        &[
            "关注公众号后才能上网",
            "關注公眾號後才能上網",
            "关 注 即 享 Ｗｉ－Ｆｉ",
            "自愿关注后即可上网",
            "加店长微信就送WiFi密码",
            "上网请先关注公众号",
            "关注公众号回复 1 拿密码",
            "WiFi 密码：关注公众号获取",
            "入会后网速不限速",
            "关注即可提速",
            "不关注不能上网",
            "Follow us to get Wi-Fi",
            "Sign up for faster internet",
            "Free wifi after following our account",
            "Wi-Fi for followers",
            "关注公众号，免费上网",
            "關註公眾號，免費上網",
            "追蹤官方帳號，即享免費無線網路",
            "Followers get free Wi-Fi",
        ],
    ),
    (
        "R02",
        &[
            "注册会员后即可点餐",
            "点餐请先关注公众号",
            "Register to order",
            "Sign up to see the menu",
            "Ordering only for members",
            "追蹤官方帳號後即可點餐",
        ],
    ),
    (
        "R03",
        &[
            "分享朋友圈领半价",
            "分享到朋友圈送可乐",
            "发朋友圈截图送小菜",
            "推荐到小红书送小菜",
            "领免费小菜需转发本页",
            "转发即送可乐",
            "分享立减五元",
            "朋友圈打卡送小菜",
            "Share to Moments and get half price",
            "Post a photo on Instagram for a free drink",
            "Like our page and get 20 % off",
            "Free drink when you share this page",
            "集满20赞送小菜",
            "集讚送小菜",
            "攒赞领小菜",
            "发个朋友圈送小菜",
            "發限時動態送小菜",
            "按讚分享送小菜",
            "点赞送小菜",
            "分享貼文送小菜",
            "分享朋友圈領半價",
        ],
    ),
    (
        "R04",
        &[
            "好友助力砍一刀",
            "集 38 个赞送小菜",
            "邀请越多奖品越大",
            "Collect 20 likes for a dish",
            "The more friends you invite the bigger the prize",
            "Each friend you invite is one more draw",
        ],
    ),
    (
        "R05",
        &[
            "二级分销，人人有奖励",
            "团队返佣",
            "发展下线拿佣金",
            "Earn from your downline",
            "Whoever they bring, you get a bonus too",
        ],
    ),
    (
        "R06",
        &[
            "关注公众号即送小菜",
            "關注即贈小菜",
            "关注送可乐",
            "关注免费吃牛肉",
            "凭关注页面领饮料",
            "不关注不送",
            "领券请先关注",
            "Follow us and get a free dish",
            "A coupon for following our account",
            "追蹤官方帳號送小菜",
            "关注订阅号，立减三元",
            "粉丝专享半价",
            "公众号粉丝送可乐",
            "Followers get a free drink",
        ],
    ),
    (
        "R07",
        &[
            "加店长微信领红包",
            "关注返现 5 元",
            "红包：进群就有",
            "Join the group for a red packet",
            "A red packet for joining",
        ],
    ),
    (
        "R08",
        &[
            "关注后查看秘方",
            "Share to see the recipe",
            "分享即可解锁菜谱",
            "Follow us to unlock the menu",
        ],
    ),
    (
        "R09",
        &[
            "已为您勾选，放心领",
            "领取即表示同意接收营销短信",
            "By claiming you agree to receive marketing",
            "You are opted in automatically",
        ],
    ),
    (
        "R10",
        &[
            "填写手机号即可领取",
            "凭会员手机号领取",
            "注册会员即送小菜",
            "Enter your phone number to claim it",
            "Sign up for a free dish",
        ],
    ),
    (
        "R11",
        &[
            "刷脸领小菜",
            "小朋友填写生日领玩具",
            "Scan your face for a dish",
            "Kids sign up here",
        ],
    ),
    (
        "R12",
        &[
            "手机号会提供给合作商家",
            "Your data is shared with our partners",
            "会员资料与合作商家共享",
            "We share: your number is given to third parties",
        ],
    ),
    (
        "R13",
        &[
            "扫码点餐，同时成为会员",
            "The order code also signs you up",
            "扫码下单自动成为会员",
            "Our ordering code makes you a member",
        ],
    ),
    (
        "R14",
        &[
            "系统提示：您有一张券",
            "1 unread message from WeChat Team",
            "微信团队送您一张券",
            "System alert: a coupon is waiting",
        ],
    ),
    (
        "R15",
        &[
            "用服务通知推送优惠",
            "A service message with our promotion",
            "用模板消息发优惠券",
            "A template message with a coupon",
        ],
    ),
    (
        "R16",
        &[
            "批量加好友领券",
            "We automatically add you",
            "自动拉群，人人有份",
            "Our bot accounts say hello",
        ],
    ),
    (
        "R17",
        &[
            "每天群发优惠",
            "A daily push message",
            "每晚发短信，不错过优惠",
            "Every day we message you the dish",
        ],
    ),
    (
        "R18",
        &[
            "详见 http://example.cn",
            "See http://example.cn",
            "菜单见 http://menu.example.cn",
            "Menu: http://menu.example.cn",
        ],
    ),
    (
        "R19",
        &[
            "详见 https://dwz.cn/abc",
            "See https://bit.ly/abc",
            "菜单见 https://url.cn/xyz",
            "Menu: https://tinyurl.com/xyz",
        ],
    ),
    (
        "R20",
        &[
            "抽奖赢大餐",
            "A lucky draw for a dinner",
            "抽大奖",
            "周五抽取幸运儿三名",
            "抽三位客人免单",
            "A chance to win a dinner",
            "Spin the wheel on Friday",
        ],
    ),
    (
        "R21",
        &[
            "原价 38，现 19",
            "Was RMB 38, now 19",
            "市场价 58，今日 29",
            "Regular price 58, today 29",
        ],
    ),
    (
        "R22",
        &[
            "喝汤防癌",
            "This soup cures a cold",
            "枸杞茶降血压",
            "A tea that lowers blood pressure",
        ],
    ),
    (
        "R32",
        &[
            "加店长微信才能领小菜",
            "不加店长微信不送",
            "The dish only if you add our manager",
            "Free soup only after adding us: you must add our manager",
            "加LINE好友才能領小菜",
        ],
    ),
];

/// Titles that somebody should look at.
pub(super) const WARNED: &[(&str, &[&str])] = &[
    (
        "R05",
        &[
            "老带新，两人各送一份",
            "推荐好友到店，两人各送一份",
            "Bring a friend and both get a dish",
            "Invite friends and everybody gets a free dish",
        ],
    ),
    (
        "R10",
        &[
            "手机号选填",
            "Your phone number is optional",
            "生日可不填",
            "Tell us your birthday if you like",
        ],
    ),
    (
        "R22",
        &[
            "全城第一的黄瓜",
            "The best in town",
            "史上最香的面",
            "Number one in noodles",
        ],
    ),
    (
        "R32",
        &[
            "添加店长微信送小菜",
            "Add our manager and get a dish",
            "Join our group and get a dish",
            "加店长好友享九折",
        ],
    ),
];

/// Terms that are refused, because what has to be done in them is a condition.
pub(super) const CONDITIONS: &[(&str, &[&str])] = &[
    (
        "R03",
        &[
            "须转发本页",
            "You have to share this page",
            "领取时请先点赞",
            "Guests need to repost it",
        ],
    ),
    (
        "R06",
        &[
            "须关注公众号",
            "Only for our followers",
            "仅限已订阅的客人",
            "Guests must subscribe",
        ],
    ),
    (
        "R10",
        &[
            "领取需注册",
            "You must give your phone number",
            "须提供手机号",
            "Registration: you have to register",
        ],
    ),
    (
        "R32",
        &[
            "请先加店长微信",
            "Guests have to join our group",
            "须入群",
            "You must add us",
        ],
    ),
];

/// What is only near a rule.
pub(super) const NEAR_MISSES: &[(&str, &[&str])] = &[
    (
        "F01",
        &[
            "好评如潮的凉拌黄瓜，送一份",
            "An honest word, good review or bad: get in touch",
            "刷卡不加价，味道好评不断",
            "A five-star hotel next door, noodles here",
        ],
    ),
    (
        "R01",
        &[
            "无需关注，一点即可上网",
            "不关注也能上网",
            "关注与否，都可以上网",
            "关注不是上网的条件",
            "上网后欢迎关注我们",
            "免费 WiFi，人人可用",
            "Wi-Fi without following anybody",
            "You do not have to follow us for Wi-Fi",
            "Follow the signs for free Wi-Fi",
            "Free Wi-Fi for everyone, no need to follow us",
            "Free Wi-Fi for all guests without registering",
            "You don’t have to follow us for Wi-Fi",
            "WiFi 免费，先连先用，无需注册",
            "上网先点继续，无需关注",
            "關注食品安全，免費上網",
            "追蹤訂單，免費無線網路",
        ],
    ),
    (
        "R02",
        &[
            "扫码点餐，无需注册",
            "不注册也可以点餐",
            "注册与否，都可以点餐",
            "Order at the table; no need to register",
            "结账时需出示本券，不与会员折扣同享",
            "买单前须出示本券，会员同享",
            "Show this page at the register before you pay",
            "Choose one of the following to go with your order",
            "外送可追蹤訂單，之後付款也行",
        ],
    ),
    (
        "R03",
        &[
            "分享装薯条，立享第二份半价",
            "适合多人分享",
            "欢迎把照片发到朋友圈",
            "Free dish to share: post it on the table, half price",
            "Our sharing platter on the page, half price",
            "If you like it hot, get a free sauce",
            "Share a hot pot",
            "适合2-3人分享，堂食即送",
            "2-3人分享的大份，到店即送",
            "集满五个章，人人点赞的小菜即送一份",
            "可供四人分享，点单立减五元",
        ],
    ),
    (
        "R04",
        &[
            "集章卡：集满五个章送小菜",
            "集章换礼，也可集卡",
            "助力考生，送鸡蛋一个",
            "Collect five stamps for a dish",
            "Invite whom you like",
            "The more the merrier",
        ],
    ),
    (
        "R05",
        &[
            "团队聚餐送一份小菜",
            "Tables on the second level get a drink",
            "两级台阶，小心慢行",
            "Bring your own cup",
        ],
    ),
    (
        "R06",
        &[
            "欢迎关注我们。到店送小菜",
            "不关注的客人同样送",
            "不关注同样送，关注也只送一份",
            "关注与否，都送小菜",
            "关注食品安全，饭后送水果",
            "欢迎关注我们，了解新菜",
            "A free dish for the visit",
            "Come for dinner and follow the smell",
            "Follow the signs to get a free dish",
            "追蹤訂單進度，飯後送水果",
            "粉丝煲半价",
            "Everybody gets a free drink, followers or not",
            "Followers or not: you have a free dish",
        ],
    ),
    (
        "R07",
        &[
            "关注我们的规则：不兑现金",
            "No cash, no red packets",
            "关注我们的规则：不可兑换现金",
            "添加小料另计，不可兑换现金",
            "Join the group at the long table; no cash",
            "Add our sauce, not redeemable for cash",
        ],
    ),
    (
        "R08",
        &[
            "菜谱直接显示",
            "Follow us to see what's new",
            "Come and see",
            "分享菜谱给您：先煮面后放菜",
        ],
    ),
    (
        "R09",
        &[
            "领取不视为同意接收营销短信",
            "Claiming it is not consent: by claiming you accept no marketing",
            "点击即领，不含推送",
            "Tap once; we send no messages",
        ],
    ),
    (
        "R10",
        &[
            "订座请留下电话，店员才能联系您",
            "Leave your phone number for a booking",
            "无需填写手机号",
            "饮酒须出示身份证",
            "Guests must show their id card for alcohol",
            "Register your table with our staff",
            "For alcohol you must show your id card",
        ],
    ),
    (
        "R11",
        &[
            "儿童套餐送玩具",
            "支持刷脸支付",
            "Kids eat with their parents",
            "儿童用餐请家长关注安全",
            "Children under supervision play upstairs",
        ],
    ),
    (
        "R12",
        &[
            "我们不会把手机号提供给第三方",
            "Your data is never shared with partners",
            "Your data will not be shared with partners",
            "本店数据：每天卖出 38 碗",
        ],
    ),
    (
        "R13",
        &[
            "点餐码在桌上，会员码在门口",
            "The order code is on the table",
            "扫码点餐更快",
            "Order by code, pay at the till",
        ],
    ),
    (
        "R14",
        &[
            "本店最新消息：周五上新",
            "Your phone is safe with our staff",
            "系统升级，收银稍慢",
            "Ask for a message in a fortune cookie",
        ],
    ),
    (
        "R15",
        &[
            "活动通知在门口",
            "The service is our message",
            "客服在前台",
            "A service for your birthday",
        ],
    ),
    (
        "R16",
        &[
            "开门多开心",
            "We add a dish",
            "自动门请慢行",
            "Add chilli as you like",
        ],
    ),
    (
        "R17",
        &[
            "每天 14 点到 17 点送小菜",
            "Daily from 14:00 a free side dish",
            "每日限量二十份，温馨提醒：售完即止",
            "Daily until sold out, a friendly reminder",
        ],
    ),
    (
        "R18",
        &[
            "详见 https://example.cn",
            "The account: http://weixin.qq.com/r/abc",
            "官网 https://example.cn/menu",
            "https://example.cn has the menu",
        ],
    ),
    (
        "R19",
        &[
            "详见 https://best.cn/abc",
            "See https://orbit.ly/abc",
            "网址 https://shout.cn/x",
            "https://mytinyurl.company/x",
        ],
    ),
    (
        "R20",
        &[
            "奖状墙上的牛肉面",
            "Draw a number at the door",
            "请抽取纸巾",
            "抽屉里有筷子",
            "Chopsticks are in the drawer",
        ],
    ),
    (
        "R21",
        &[
            "原价 38，前七日最低 36，现 19",
            "Regular price 38; lowest price of the last seven days 36",
            "现价 19",
            "Now RMB 19",
        ],
    ),
    (
        "R22",
        &[
            "本店最好的菜之一",
            "Our best noodles",
            "七日最低价 36",
            "A heart-warming soup",
        ],
    ),
    (
        "R32",
        &[
            "加菜一份，林店长送您",
            "不加微信同样送，添加微信送的也一样",
            "加微信可不加，都送小菜",
            "Add our manager as a choice, get the dish without",
            "Ask our manager for the menu",
        ],
    ),
];
