"""Whether a text is in simplified or in traditional Chinese.

Most characters belong to both scripts. The ones below are frequent and stand in one
script only, so any longer text has some of them. Characters such as 后 and 里, which
are simplified forms and traditional characters of another meaning, are left out.
"""

from collections.abc import Iterable, Mapping

# The same characters in both scripts, in the same order.
_SIMPLIFIED = (
    "这为国来们说时对会个过学发动产业东两严丧丰临举义乐书买乱争亲亿仅从仓仪价众优伟传伤"
    "伦体侠债倾儿党兰关兴农决况冻净减凤击刘创剧劝办务劳势华协单卖卢卫压厂历厅县参双变"
    "号吗启员响团园围图圆坏块坚坛场声处备复够头夺奋奖妇妈孙宁实审宪宾对导层岁岛帅师帐"
    "带帮广庆应库废开异张强归当录彻忆怀态总恶悬惊惩战户护报担拥择换损据掷摄敌断旧显晓"
    "权条极构枪样桥检楼欢欧气汇汉汤沟沪泽济测浓涛润湾满滚灭灯灵炉点热爱牵环现电画疗盐"
    "监盖盘码确种积称稳穷竞笔筑签简粮纪约级纯纲纳纵纷纸线练组细织终绍经结给络绝统继绩"
    "续维综绿编缅缓缩网罗罚职联肃胜脉脑节苏药获营蓝虑虽补装见观规视览觉触计订认讨让训"
    "议讯记讲许论设访证评识诉词译试诗话询该详语误请诸读课谁调谈谋谢谱贝贡财责败货质贫"
    "购贯贴贵贷贸费贺资赏赔赖赛赵赶车转轮软轰轻载较辆边达迁运还进远违连迟适选逊递逻遗"
    "邓郑邮钟钢钱铁银销锋错键镇长门闪闭问闲间闻阅队阳阵阶际陆陈险随难韩页项顺须顾预领"
    "频题额风飞饭饮馆马驱驶验骑鱼鲁鲜鸟鸡麦黄齐龙"
)
_TRADITIONAL = (
    "這為國來們說時對會個過學發動產業東兩嚴喪豐臨舉義樂書買亂爭親億僅從倉儀價眾優偉傳傷"
    "倫體俠債傾兒黨蘭關興農決況凍淨減鳳擊劉創劇勸辦務勞勢華協單賣盧衛壓廠歷廳縣參雙變"
    "號嗎啟員響團園圍圖圓壞塊堅壇場聲處備復夠頭奪奮獎婦媽孫寧實審憲賓對導層歲島帥師帳"
    "帶幫廣慶應庫廢開異張強歸當錄徹憶懷態總惡懸驚懲戰戶護報擔擁擇換損據擲攝敵斷舊顯曉"
    "權條極構槍樣橋檢樓歡歐氣匯漢湯溝滬澤濟測濃濤潤灣滿滾滅燈靈爐點熱愛牽環現電畫療鹽"
    "監蓋盤碼確種積稱穩窮競筆築簽簡糧紀約級純綱納縱紛紙線練組細織終紹經結給絡絕統繼績"
    "續維綜綠編緬緩縮網羅罰職聯肅勝脈腦節蘇藥獲營藍慮雖補裝見觀規視覽覺觸計訂認討讓訓"
    "議訊記講許論設訪證評識訴詞譯試詩話詢該詳語誤請諸讀課誰調談謀謝譜貝貢財責敗貨質貧"
    "購貫貼貴貸貿費賀資賞賠賴賽趙趕車轉輪軟轟輕載較輛邊達遷運還進遠違連遲適選遜遞邏遺"
    "鄧鄭郵鐘鋼錢鐵銀銷鋒錯鍵鎮長門閃閉問閒間聞閱隊陽陣階際陸陳險隨難韓頁項順須顧預領"
    "頻題額風飛飯飲館馬驅駛驗騎魚魯鮮鳥雞麥黃齊龍"
)
SIMPLIFIED, TRADITIONAL = frozenset(_SIMPLIFIED), frozenset(_TRADITIONAL)

MIXED = 0.1  # share of the rarer script above which a text counts as mixed


def script_of(text: str) -> str:
    """Returns ``simplified``, ``traditional``, ``mixed`` or ``neither``.

    Each different character counts once.
    """
    characters = set(text)
    simplified = len(characters & SIMPLIFIED)
    traditional = len(characters & TRADITIONAL)
    if not simplified and not traditional:
        return "neither"
    if min(simplified, traditional) > MIXED * (simplified + traditional):
        return "mixed"
    return "simplified" if simplified > traditional else "traditional"


def total(counts: Mapping[str, int], script: Iterable[str]) -> int:
    """Returns the number of occurrences of the characters of a script."""
    return sum(counts.get(character, 0) for character in script)
