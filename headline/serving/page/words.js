// What the page says, in Chinese and in English.

export const WORDS = {
  zh: {
    title: "拟标题", tabs: "做什么", tab_article: "一篇文章", tab_file: "整个文件",
    other_language: "English",
    key_label: "访问密钥", key_use: "使用",
    key_hint: "这台服务器需要密钥。请向管理员索取；它只留在这个标签页里。",
    settings: "要求", number: "几个标题", max_length: "最多几个字",
    target_length: "最好几个字（0：随意）", variety: "彼此的差别", variety_small: "小",
    variety_middle: "适中", variety_large: "大", prefix: "开头", must: "必须有",
    avoid: "不要有", remove: (word) => `去掉“${word}”`,
    article: "文章", article_hint: "把文章粘贴或拖到这里", write: "拟标题", stop: "停下",
    add_must: "选中的词：必须有", add_avoid: "选中的词：不要有",
    keys: "Ctrl+Enter 拟标题；Alt+1、Alt+2…… 复制第几个标题。",
    found: "标题", nothing_yet: "还没有标题：放一篇文章进来，再点“拟标题”。",
    no_article: "文章还是空的。", working: "正在拟标题", stopped: "已停下。",
    ready: (number) => `有 ${number} 个标题。`, nth: (place) => `第 ${place} 个标题`,
    copy: "复制", copy_nth: (place) => `复制第 ${place} 个标题`, copied: "已复制",
    not_copied: "浏览器不允许复制，请手动选中。",
    characters: (number) => `${number} 字`, confidence: (share) => `可信度 ${share}`,
    style: (name) => `风格：${name}`, lacking: (words) => `文章里没有：${words}`,
    in_pieces: (words) => `文章里只有零散的字：${words}`,
    marks_unsure: "点线", marks_unsure_means: "模型没有把握的字",
    marks_lacking: "波浪线", marks_lacking_means: "文章里没有的数字、外文和名称",
    origin: "出处",
    origin_hint: "指向标题里的一个字，或者把光标移到它前面：下面标出它在文章里的来处。",
    today: "今天的工作", keep: "留在这个浏览器里，只到今天", clear: "清除",
    today_none: "还没有。",
    file: "文件（CSV、TSV、JSONL 或每行一篇文章的 TXT）",
    file_hint: "也可以把文件拖到这里。除了个数和差别，上面的要求对每篇文章都有效。",
    send: "给每篇文章拟标题", cancel: "取消", progress: "进度", no_file: "还没有文件。",
    sending: "正在发送文件", waiting: "正在排队", running: (n) => `已完成 ${n} 篇`,
    done: (n) => `完成：${n} 篇文章。`, cancelled: "已取消。", download: "下载结果",
    failed: "文件没有完成：",
    busy: (seconds) => `现在请求太多，${seconds} 秒后自动再试。`,
    gone: "连不上服务器。请检查网络，稍后再试。", wrong_key: "密钥不对。",
    refused: "服务器不接受：", mistake: "服务器出错：",
  },
  en: {
    title: "Headlines", tabs: "What to do", tab_article: "One article",
    tab_file: "A file", other_language: "中文",
    key_label: "Access key", key_use: "Use",
    key_hint: "This server needs a key. Ask its operator; it stays in this tab only.",
    settings: "Requirements", number: "Number of headlines",
    max_length: "Most characters", target_length: "Preferred characters (0: any)",
    variety: "Variety", variety_small: "small", variety_middle: "medium",
    variety_large: "large", prefix: "Beginning", must: "Must have", avoid: "Avoid",
    remove: (word) => `Remove “${word}”`,
    article: "Article", article_hint: "Paste or drop an article here",
    write: "Write headlines", stop: "Stop", add_must: "Selected word: must have",
    add_avoid: "Selected word: avoid",
    keys: "Ctrl+Enter writes headlines; Alt+1, Alt+2… copy one of them.",
    found: "Headlines",
    nothing_yet: "No headlines yet: put in an article and press “Write headlines”.",
    no_article: "The article is still empty.", working: "Writing headlines",
    stopped: "Stopped.", ready: (number) => `${number} headlines.`,
    nth: (place) => `Headline ${place}`, copy: "Copy",
    copy_nth: (place) => `Copy headline ${place}`, copied: "Copied",
    not_copied: "The browser does not allow copying; please select the text.",
    characters: (number) => `${number} characters`,
    confidence: (share) => `confidence ${share}`, style: (name) => `style: ${name}`,
    lacking: (words) => `not in the article: ${words}`,
    in_pieces: (words) => `in the article in pieces only: ${words}`,
    marks_unsure: "Dotted", marks_unsure_means: "the model was unsure",
    marks_lacking: "Wavy",
    marks_lacking_means: "a number, Latin word or name that the article lacks",
    origin: "Origin",
    origin_hint: "Point at a character of a headline, or move the cursor before it:"
      + " the article below shows where it comes from.",
    today: "Today's work", keep: "Keep it in this browser, until tonight",
    clear: "Clear", today_none: "Nothing yet.",
    file: "File (CSV, TSV, JSONL, or TXT with an article on each line)",
    file_hint: "You can drop a file here. The requirements above hold for each"
      + " article, except number and variety.",
    send: "Write a headline for each article", cancel: "Cancel", progress: "Progress",
    no_file: "No file yet.", sending: "Sending the file", waiting: "Waiting for its turn",
    running: (n) => `${n} articles are done`, done: (n) => `Done: ${n} articles.`,
    cancelled: "Cancelled.", download: "Download the result",
    failed: "The file was not finished: ",
    busy: (seconds) => `The server is busy; trying again in ${seconds} seconds.`,
    gone: "The server cannot be reached. Check the network and try again.",
    wrong_key: "The key is wrong.", refused: "The server refuses: ",
    mistake: "The server made a mistake: ",
  },
};

const KEPT = "headline-language";

function asked() {
  const chosen = localStorage.getItem(KEPT);
  if (chosen in WORDS) return chosen;
  const known = navigator.languages.map((name) => name.slice(0, 2).toLowerCase());
  return known.find((name) => name in WORDS) ?? "zh";
}

let language = asked();

/** Returns a text of the page; some need values. */
export function say(name, ...values) {
  const text = WORDS[language][name];
  return typeof text === "function" ? text(...values) : text;
}

/** Sets a text, and sets it again when the language changes. */
export function tell(element, name, ...values) {
  element.dataset.say = name;
  element.dataset.values = JSON.stringify(values);
  element.textContent = say(name, ...values);
}

/** Takes a text away. */
export function blank(element) {
  delete element.dataset.say;
  element.textContent = "";
}

/** Sets all texts of the page. */
export function translate() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const one of document.querySelectorAll("[data-say]")) {
    one.textContent = say(one.dataset.say, ...JSON.parse(one.dataset.values ?? "[]"));
  }
  for (const one of document.querySelectorAll("[data-label]")) {
    const values = JSON.parse(one.dataset.labelValues ?? "[]");
    one.setAttribute("aria-label", say(one.dataset.label, ...values));
  }
  for (const one of document.querySelectorAll("[data-hint]")) {
    one.placeholder = say(one.dataset.hint);
  }
  document.getElementById("language").textContent = say("other_language");
}

/** Names an element for screen readers, in either language. */
export function label(element, name, ...values) {
  element.dataset.label = name;
  element.dataset.labelValues = JSON.stringify(values);
  element.setAttribute("aria-label", say(name, ...values));
}

export function switchLanguage() {
  language = language === "zh" ? "en" : "zh";
  localStorage.setItem(KEPT, language);
  translate();
}
